import { useInputStreamSend } from "@trigger.dev/react-hooks";
import { type FormEvent, useState } from "react";
import type { Started } from "./access";
import type { Approval } from "./task";
import { Trouble } from "./Trouble";

/** Send the answer that the run waits for. */
export function Decide({ started }: { started: Started }) {
  const { run, ...access } = started;
  const { send, isLoading, error } = useInputStreamSend<Approval>("approval", run, access);
  const [reviewer, setReviewer] = useState("");
  const [note, setNote] = useState("");

  const decide = (event: FormEvent) => {
    event.preventDefault();
    const { submitter } = event.nativeEvent as SubmitEvent;
    send({ approved: submitter?.getAttribute("value") === "approve", reviewer, note });
  };

  return (
    <form className="decide" onSubmit={decide}>
      <label htmlFor="reviewer">Your name</label>
      <input
        id="reviewer"
        autoComplete="name"
        required
        value={reviewer}
        onChange={(event) => setReviewer(event.target.value)}
      />
      <label htmlFor="note">
        Note <span className="small">if you reject it</span>
      </label>
      <input id="note" value={note} onChange={(event) => setNote(event.target.value)} />
      {error && <Trouble error={error} />}
      <div className="row">
        <button type="submit" value="approve" disabled={isLoading}>
          Approve
        </button>
        <button type="submit" value="reject" className="danger" disabled={isLoading}>
          Reject
        </button>
      </div>
    </form>
  );
}
