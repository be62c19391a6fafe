type Props = { text: string; isWriting: boolean; stamp: string };

/** The draft as far as it is written. It knows of Markdown what the task uses: a title and a list. */
export function Draft({ text, isWriting, stamp }: Props) {
  const [title = "", ...rest] = text.split("\n\n");
  const body = rest.filter((block) => block.trim() !== "" && !block.startsWith("- "));
  const figures = rest.filter((block) => block.startsWith("- ")).flatMap((block) => block.trim().split("\n"));
  return (
    <article className={isWriting ? "paper writing" : "paper"} aria-busy={isWriting} aria-label="Draft">
      <p className="stamp" data-stamp={stamp}>
        {stamp}
      </p>
      <h2>{title.replace(/^# /, "") || "…"}</h2>
      {body.map((block, place) => (
        <p key={place}>{block}</p>
      ))}
      {figures.length > 0 && (
        <ul>
          {figures.map((line, place) => (
            <li key={place}>{line.replace(/^- /, "")}</li>
          ))}
        </ul>
      )}
    </article>
  );
}
