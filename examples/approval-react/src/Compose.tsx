import { useTaskTrigger } from "@trigger.dev/react-hooks";
import { type FormEvent, useEffect, useState } from "react";
import type { Access, Started } from "./access";
import sample from "./sample.txt?raw";
import type { PublishRelease } from "./task";
import { Trouble } from "./Trouble";

type Props = { access: Access; onStarted: (started: Started) => void; onAgain: () => void };

/** Start a run. */
export function Compose({ access, onStarted, onAgain }: Props) {
  const [text, setText] = useState(sample);
  const { submit, handle, isLoading, error } = useTaskTrigger<PublishRelease>("publish-release", access);

  useEffect(() => {
    if (handle) onStarted({ ...access, run: handle.id, accessToken: handle.publicAccessToken });
  }, [handle, access, onStarted]);

  const start = (event: FormEvent) => {
    event.preventDefault();
    submit({ text });
  };

  return (
    <form className="card" onSubmit={start}>
      <label htmlFor="release">Press release</label>
      <p className="small" id="release-hint">
        The first line is its title.
      </p>
      <textarea
        id="release"
        aria-describedby="release-hint"
        rows={14}
        required
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      {error && <Trouble error={error} onAgain={onAgain} />}
      <div className="row">
        <button type="submit" disabled={isLoading}>
          {isLoading ? "Starting…" : "Draft it"}
        </button>
      </div>
    </form>
  );
}
