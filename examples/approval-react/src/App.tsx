import { useCallback, useEffect, useState } from "react";
import { type Access, type Started, askForAccess, keep, kept } from "./access";
import { Compose } from "./Compose";
import { Review } from "./Review";
import { Trouble } from "./Trouble";

export function App() {
  const [started, setStarted] = useState<Started | undefined>(kept);

  const change = useCallback((next: Started | undefined) => {
    keep(next);
    setStarted(next);
  }, []);

  return (
    <>
      <header className="top">
        <h1>Press desk</h1>
        <p>A Python task drafts, a person decides, the task goes on.</p>
      </header>
      <main>
        {started ? (
          <Review key={started.run} started={started} onLeave={() => change(undefined)} />
        ) : (
          <Entrance onStarted={change} />
        )}
      </main>
    </>
  );
}

/** Get a token first: it is good for one start. */
function Entrance({ onStarted }: { onStarted: (started: Started) => void }) {
  const [access, setAccess] = useState<Access>();
  const [error, setError] = useState<Error>();
  const [tries, setTries] = useState(0);

  useEffect(() => {
    let isOver = false;
    askForAccess().then(
      (given) => isOver || setAccess(given),
      (refused: Error) => isOver || setError(refused),
    );
    return () => {
      isOver = true;
    };
  }, [tries]);

  const again = () => {
    setAccess(undefined);
    setError(undefined);
    setTries(tries + 1);
  };

  if (error) return <Trouble error={error} onAgain={again} />;
  if (!access) return <p className="small">One moment…</p>;
  return <Compose key={tries} access={access} onStarted={onStarted} onAgain={again} />;
}
