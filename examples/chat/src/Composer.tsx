import { type FormEvent, type KeyboardEvent, useRef, useState } from "react";

type Props = {
  onAsk: (question: string) => void;
  isBusy: boolean;
  onStop?: () => void;
  isStopping?: boolean;
};

/** Where one writes. Return sends, Escape stops the answer. */
export function Composer({ onAsk, isBusy, onStop, isStopping = false }: Props) {
  const [question, setQuestion] = useState("");
  const form = useRef<HTMLFormElement>(null);
  const text = useRef<HTMLTextAreaElement>(null);

  const hasText = question.trim() !== "";

  const ask = (event: FormEvent) => {
    event.preventDefault();
    if (isBusy || !hasText) return;
    onAsk(question.trim());
    setQuestion("");
  };

  const stop = () => {
    onStop?.();
    text.current?.focus(); // the button goes away, and the keyboard needs a place
  };

  const press = (event: KeyboardEvent) => {
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      form.current?.requestSubmit();
    }
    if (event.key === "Escape" && onStop && !isStopping) stop();
  };

  return (
    <form ref={form} className="composer" onSubmit={ask} onKeyDown={press}>
      <label htmlFor="question" className="hidden">
        Your question
      </label>
      <textarea
        ref={text}
        id="question"
        rows={2}
        maxLength={2000}
        autoFocus
        placeholder="Ask about the wheel, the fish…"
        value={question}
        onChange={(event) => setQuestion(event.target.value)}
      />
      {onStop && (
        <button type="button" className="stop" onClick={stop} disabled={isStopping}>
          <span aria-hidden="true">■</span> Stop
        </button>
      )}
      {(!onStop || hasText) && (
        <button type="submit" disabled={isBusy || !hasText}>
          Send
        </button>
      )}
    </form>
  );
}
