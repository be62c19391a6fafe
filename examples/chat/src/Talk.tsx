import { useInputStreamSend, useRealtimeRun, useRealtimeStream } from "@trigger.dev/react-hooks";
import { useEffect, useRef } from "react";
import type { Conversation } from "./access";
import { Composer } from "./Composer";
import type { Chat, Part } from "./task";
import { Trouble } from "./Trouble";
import { type Turn, turnsOf } from "./turns";

type Props = { conversation: Conversation; onLeave: () => void };

/** Follow a run, ask it more, and stop an answer. */
export function Talk({ conversation, onLeave }: Props) {
  const { run: id, ...access } = conversation;
  const { run, error: lost } = useRealtimeRun<Chat>(id, access);
  const { parts, error: cut } = useRealtimeStream<Part>(id, "talk", access);
  const questions = useInputStreamSend<string>("questions", id, access);
  const stops = useInputStreamSend<number>("stops", id, access);

  const turns = turnsOf(parts);
  const last = turns.at(-1);
  const isAnswering = last !== undefined && last.ended === undefined;
  const isLost = lost !== undefined || cut !== undefined;
  const error = lost ?? cut ?? questions.error ?? stops.error;
  const state = isLost ? "lost" : run?.isCompleted ? "over" : isAnswering || !last ? "answers" : "sleeps";

  return (
    <>
      <header className="top">
        <h1>Ask the mill</h1>
        <p className="state" data-state={state} role="status" data-testid="state">
          {STATES[state]}
        </p>
        <button type="button" className="quiet" onClick={() => window.open(location.href)}>
          Second window
        </button>
        <button type="button" className="quiet" onClick={onLeave}>
          New chat
        </button>
      </header>
      <main>
        <Log turns={turns} isBusy={isAnswering} />
        {error && <Trouble error={error} onAgain={onLeave} />}
      </main>
      <Composer
        onAsk={questions.send}
        isBusy={questions.isLoading || isLost || run?.isCompleted === true}
        {...(isAnswering && { onStop: () => stops.send(turns.length - 1), isStopping: stops.isLoading })}
      />
    </>
  );
}

const STATES = {
  answers: "It is writing",
  sleeps: "It sleeps until you ask",
  over: "It has ended",
  lost: "Not connected",
};

/** What was said. It follows the end, unless you have scrolled away from it. */
function Log({ turns, isBusy }: { turns: Turn[]; isBusy: boolean }) {
  const end = useRef<HTMLDivElement>(null);
  const size = turns.reduce((sum, turn) => sum + turn.answer.length, turns.length);

  useEffect(() => {
    const left = document.documentElement.scrollHeight - window.scrollY - window.innerHeight;
    if (left < 160) end.current?.scrollIntoView({ block: "end" });
  }, [size]);

  return (
    <div role="log" aria-label="Conversation" aria-busy={isBusy}>
      {turns.map((turn, place) => (
        <section key={place} className="turn" data-testid="turn" data-ended={turn.ended ?? "not yet"}>
          <p className="question">
            <span className="hidden">You: </span>
            {turn.question}
          </p>
          <p className={turn.ended ? "answer" : "answer writing"}>
            <span className="hidden">The mill: </span>
            {turn.answer}
          </p>
          {turn.ended === "stopped" && <p className="note">You stopped it here.</p>}
        </section>
      ))}
      <div ref={end} className="end" />
    </div>
  );
}
