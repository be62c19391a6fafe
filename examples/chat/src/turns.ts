import type { Ended, Part } from "./task";

/** One question, with its answer as far as it is written. */
export type Turn = { question: string; answer: string; ended: Ended | undefined };

/** Put the parts of a stream together. */
export function turnsOf(parts: readonly Part[]): Turn[] {
  const turns: Turn[] = [];
  for (const { turn, who, text, end } of parts) {
    const one = (turns[turn] ??= { question: "", answer: "", ended: undefined });
    if (who === "you") one.question += text;
    else one.answer += text;
    if (end !== "") one.ended = end;
  }
  return turns;
}
