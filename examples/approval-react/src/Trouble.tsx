// What to say when something was refused.

function status(error: Error): number | undefined {
  return "status" in error && typeof error.status === "number" ? error.status : undefined;
}

function meaning(error: Error): string {
  switch (status(error)) {
    case 401:
      return "The token of this page has expired, or is not valid.";
    case 403:
      return "The token of this page may not do this.";
    case 404:
      return "This run is not there any more.";
    case 422:
      return "That is not what the task expects.";
    case 429:
      return "That was too often. Wait a moment, then try again.";
    default:
      return "That did not work.";
  }
}

/** What the server says of it. The feed of a run has that in `json`, every other call in the message. */
function reason(error: Error): string {
  const body = "json" in error ? error.json : undefined;
  const said = typeof body === "object" && body !== null && "error" in body ? body.error : undefined;
  return typeof said === "string" ? said : error.message;
}

export function Trouble({ error, onAgain }: { error: Error; onAgain?: () => void }) {
  return (
    <div className="trouble" role="alert">
      <p>
        <strong>{meaning(error)}</strong>
      </p>
      <p className="small">{reason(error)}</p>
      {onAgain && (
        <button type="button" className="quiet" onClick={onAgain}>
          Start again
        </button>
      )}
    </div>
  );
}
