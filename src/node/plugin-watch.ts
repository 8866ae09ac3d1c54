/** Watches the calls into plug-ins that are under way in worker threads (`plugin-calls.ts`), and says which does not return. */
import { PolicyError } from "../kernel/errors.ts";
import type { LoadedPlugins } from "./load-plugins.ts";
import { callMemory, callUnderWay, type PluginCall } from "./plugin-calls.ts";

/**
 * Time is counted in looks that found the same call, not by the clock: a laptop that slept or a process that was stopped for
 * an hour was looked at once.
 */
const LOOK_EVERY_MS = 250;

const HINT = "\n  hint: is there an endless loop? If not, --plugin-timeout SECONDS gives each call more time";

/** One task of a thread. */
export interface WatchedTask {
  readonly memory: SharedArrayBuffer;
  /** What it computes, for messages. */
  readonly what: string;
  /** The call that the last look found, and looks that have found it again. */
  call: PluginCall | null;
  looks: number;
}

export class PluginWatch {
  private readonly plugins: LoadedPlugins;
  private readonly onStuck: (fault: PolicyError) => void;
  private readonly tasks = new Set<WatchedTask>();
  private timer: NodeJS.Timeout | null = null;

  /** `onStuck` is told of a call that has taken longer than the limit. */
  constructor(plugins: LoadedPlugins, onStuck: (fault: PolicyError) => void) {
    this.plugins = plugins;
    this.onStuck = onStuck;
  }

  begin(what: string): WatchedTask {
    const task: WatchedTask = { memory: callMemory(), what, call: null, looks: 0 };
    this.tasks.add(task);
    this.timer ??= setInterval(() => this.look(), LOOK_EVERY_MS);
    return task;
  }

  end(task: WatchedTask): void {
    this.tasks.delete(task);
    if (this.tasks.size > 0 || this.timer === null) return;
    clearInterval(this.timer);
    this.timer = null;
  }

  /** The thread of a task is gone: because of the call that it was in, or null when it was in none. */
  faultOfDeath(task: WatchedTask, error: unknown): PolicyError | null {
    const call = callUnderWay(task.memory);
    if (call === null) return null;
    return this.fault(task, call, `ended its thread (${error instanceof Error ? error.message : String(error)})`);
  }

  private look(): void {
    for (const task of this.tasks) {
      const call = callUnderWay(task.memory);
      task.looks = call !== null && call.ordinal === task.call?.ordinal ? task.looks + 1 : 0;
      task.call = call;
      if (call === null || task.looks * LOOK_EVERY_MS < this.plugins.callLimitS * 1000) continue;
      const fault = this.fault(task, call, `did not return within ${this.plugins.callLimitS} s`, HINT);
      this.onStuck(fault);
    }
  }

  private fault({ what }: WatchedTask, { source, policy, method }: PluginCall, did: string, hint = ""): PolicyError {
    const { file } = this.plugins.sources[source]!;
    const name = policy === null ? undefined : this.plugins.policies[policy]?.name;
    const who = name === undefined ? file : `${name} (${file})`;
    const doing = method === "load" ? "loading it" : method;
    return new PolicyError(name ?? file, `${who}: ${doing} ${did}${what === "" ? "" : ` in ${what}`}${hint}`);
  }
}
