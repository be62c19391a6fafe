import type { Outcome } from "./task";

export type Stage = "starting" | "drafting" | "review" | "publishing" | "failed" | Outcome["status"];

const STEPS = ["Draft", "Review", "Publish"] as const;

/** How many steps lie behind a run. */
const BEHIND: Record<Stage, number> = {
  starting: 0,
  drafting: 0,
  review: 1,
  publishing: 2,
  rejected: 2,
  expired: 1,
  failed: 0,
  published: 3,
};

const HAS_ENDED: ReadonlySet<Stage> = new Set(["published", "rejected", "expired", "failed"]);

/** Say in a sentence how it stands. Screen readers read it out when it changes. */
export function told(stage: Stage, outcome: Outcome | undefined): string {
  switch (stage) {
    case "starting":
      return "The run is starting.";
    case "drafting":
      return "The draft is being written.";
    case "review":
      return "The task sleeps until you decide. It may be restarted meanwhile; nothing is lost.";
    case "publishing":
      return "Approved. It is being published.";
    case "published":
      return `Published, approved by ${outcome?.reviewer}.`;
    case "rejected":
      return `Rejected by ${outcome?.reviewer}. It stays a draft.`;
    case "expired":
      return "Nobody looked at it for seven days. It stays a draft.";
    case "failed":
      return "The run has failed.";
  }
}

export function Steps({ stage }: { stage: Stage }) {
  const behind = BEHIND[stage];
  const isOver = HAS_ENDED.has(stage);
  return (
    <ol className="steps" aria-label="Progress">
      {STEPS.map((name, place) => {
        const state = place < behind ? "done" : place === behind && !isOver ? "now" : "ahead";
        return (
          <li key={name} data-state={state} aria-current={state === "now" ? "step" : undefined}>
            <span className="dot" aria-hidden="true">
              {state === "done" ? "✓" : place + 1}
            </span>
            {name}
          </li>
        );
      })}
    </ol>
  );
}
