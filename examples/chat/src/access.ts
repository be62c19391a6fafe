// Which conversation this tab holds. The token is no secret, but it is nobody else's either: it is kept
// in the tab (it survives a reload), never in an address, where histories and logs see it.

/** A run, where Headrace is, and what opens it. */
export type Conversation = { baseURL: string; accessToken: string; run: string };

const KEPT = "chat";

export async function begin(question: string): Promise<Conversation> {
  const answer = await fetch("/api/chats", { method: "POST", body: JSON.stringify({ question }) });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.error ?? `The backend answers ${answer.status}.`);
  return body;
}

export function kept(): Conversation | undefined {
  const text = sessionStorage.getItem(KEPT);
  return text === null ? undefined : JSON.parse(text);
}

export function keep(conversation: Conversation | undefined): void {
  if (conversation === undefined) sessionStorage.removeItem(KEPT);
  else sessionStorage.setItem(KEPT, JSON.stringify(conversation));
}
