import { useRealtimeRun, useRealtimeStream } from "@trigger.dev/react-hooks";
import { type ReactNode, useEffect, useRef } from "react";
import type { Started } from "./access";
import { Decide } from "./Decide";
import { Draft } from "./Draft";
import { type Stage, Steps, told } from "./Steps";
import type { PublishRelease } from "./task";
import { Trouble } from "./Trouble";

type Props = { started: Started; onLeave: () => void };

/** Follow a run: its state and what it writes, as both happen. */
export function Review({ started, onLeave }: Props) {
  const { run: id, ...access } = started;
  const { run, error: lost } = useRealtimeRun<PublishRelease>(id, access);
  const { parts, error: cut } = useRealtimeStream<string>(id, "draft", access);

  const error = lost ?? cut;
  const stage = stageOf(run);
  const isWriting = !error && (stage === "starting" || stage === "drafting");
  const outcome = run?.output;
  return (
    <div className="desk">
      {(!error || parts.length > 0) && (
        <Draft text={parts.join("")} isWriting={isWriting} stamp={outcome?.status ?? "draft"} />
      )}
      <aside className="card" aria-label="The run">
        {error ? (
          <Trouble error={error} onAgain={onLeave} />
        ) : (
          <>
            <Steps stage={stage} />
            <Told stage={stage} text={told(stage, outcome)} />
            {stage === "review" && <Decide started={started} />}
          </>
        )}
        <dl className="facts">
          {outcome?.note && <Fact name="Note" value={outcome.note} />}
          {outcome && <Fact name="File" value={<code>{outcome.file}</code>} />}
          <Fact name="Run" value={<code>{id}</code>} />
          <Fact name="State" value={<code data-testid="status">{run?.status ?? "…"}</code>} />
        </dl>
        <div className="row">
          {run?.finishedAt && !error && (
            <button type="button" onClick={onLeave}>
              Next release
            </button>
          )}
          {!error && (
            <button type="button" className="quiet" onClick={() => window.open(location.href)}>
              Second window
            </button>
          )}
        </div>
      </aside>
    </div>
  );
}

/** What happens, in a sentence; who has just decided finds it under the keyboard. */
function Told({ stage, text }: { stage: Stage; text: string }) {
  const place = useRef<HTMLParagraphElement>(null);
  const before = useRef(stage);

  useEffect(() => {
    if (before.current === "review" && document.activeElement === document.body) place.current?.focus();
    before.current = stage;
  }, [stage]);

  return (
    <p ref={place} role="status" className="told" tabIndex={-1}>
      {text}
    </p>
  );
}

function Fact({ name, value }: { name: string; value: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </>
  );
}

type Seen = ReturnType<typeof useRealtimeRun<PublishRelease>>["run"];

/** Where the run is: what it has ended with, or else what it says itself, in its metadata. */
function stageOf(run: Seen): Stage {
  if (!run) return "starting";
  if (run.output) return run.output.status;
  if (run.isCompleted) return "failed";
  const said = run.metadata?.["stage"];
  return said === "drafting" || said === "review" || said === "publishing" ? said : "starting";
}
