// What tasks.py declares, as this page sees it.
import type { Task } from "@trigger.dev/core/v3";

export type Ended = "whole" | "stopped";
export type Part = { turn: number; who: "you" | "mill"; text: string; end: "" | Ended };
export type Chat = Task<"chat", string, number>;
