import { useCallback, useState } from "react";
import { type Conversation, begin, keep, kept } from "./access";
import { Composer } from "./Composer";
import { Talk } from "./Talk";
import { Trouble } from "./Trouble";

export function App() {
  const [conversation, setConversation] = useState<Conversation | undefined>(kept);

  const change = useCallback((next: Conversation | undefined) => {
    keep(next);
    setConversation(next);
  }, []);

  return conversation ? (
    <Talk key={conversation.run} conversation={conversation} onLeave={() => change(undefined)} />
  ) : (
    <Welcome onBegun={change} />
  );
}

const IDEAS = ["How heavy is the wheel?", "Who paid for it?", "Tell me everything about the mill"];

/** The first question starts a run. */
function Welcome({ onBegun }: { onBegun: (conversation: Conversation) => void }) {
  const [isAsking, setIsAsking] = useState(false);
  const [error, setError] = useState<Error>();

  const ask = (question: string) => {
    setIsAsking(true);
    setError(undefined);
    begin(question).then(onBegun, (refused: Error) => {
      setError(refused);
      setIsAsking(false);
    });
  };

  return (
    <>
      <header className="top">
        <h1>Ask the mill</h1>
      </header>
      <main className="welcome">
        <p>
          The old mill of Lindach answers from its handbook. Every conversation is one run of a Python task: it
          writes, can be stopped, and sleeps until you ask again.
        </p>
        <div className="row">
          {IDEAS.map((idea) => (
            <button key={idea} type="button" className="quiet" disabled={isAsking} onClick={() => ask(idea)}>
              {idea}
            </button>
          ))}
        </div>
        {error && <Trouble error={error} />}
      </main>
      <Composer onAsk={ask} isBusy={isAsking} />
    </>
  );
}
