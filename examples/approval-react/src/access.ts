// Which token this tab holds. None of them is secret, but they are nobody else's either: they are
// kept in the tab (it survives a reload), never in an address, where histories and logs see them.

/** Where Headrace is, and what opens it. */
export type Access = { baseURL: string; accessToken: string };

/** A run that this tab has started, with the token that came with the answer. */
export type Started = Access & { run: string };

const KEPT = "approval-react";

export async function askForAccess(): Promise<Access> {
  const answer = await fetch("/api/access", { method: "POST" });
  if (!answer.ok) throw new Error(`The backend answers ${answer.status}.`);
  return answer.json();
}

export function kept(): Started | undefined {
  const text = sessionStorage.getItem(KEPT);
  return text === null ? undefined : JSON.parse(text);
}

export function keep(started: Started | undefined): void {
  if (started === undefined) sessionStorage.removeItem(KEPT);
  else sessionStorage.setItem(KEPT, JSON.stringify(started));
}
