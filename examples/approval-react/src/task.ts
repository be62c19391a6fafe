// What tasks.py declares, as this page sees it.
import type { Task } from "@trigger.dev/core/v3";

export type Release = { text: string };
export type Approval = { approved: boolean; reviewer: string; note: string };
export type Outcome = {
  status: "published" | "rejected" | "expired";
  file: string;
  reviewer: string;
  note: string;
};

export type PublishRelease = Task<"publish-release", Release, Outcome>;
