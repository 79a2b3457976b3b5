import {closeSync, openSync, writeSync} from 'node:fs'
import {unlessErrno} from './errno.js'

/** Set by templates/host/program.pl: the descriptor on which a session reports its start. */
const REPORT_FD_VARIABLE = 'ENVS_START_REPORT'

/** The failure of a session that did not start, as the command line tells it. */
export type ReportedFailure = {
  readonly code: string
  readonly message: string
  readonly suggestions: readonly string[]
  readonly exitCode: number
}

/** Reports of one session to the program that keeps it running. */
export type StartReport = {
  started(): void
  failed(failure: ReportedFailure): void
}

/** Takes over the descriptor of the report; undefined where no program waits for one. */
export function openStartReport(
  environment: Readonly<Record<string, string | undefined>>,
): StartReport | undefined {
  const [inherited] = /^\d{1,6}$/.exec(environment[REPORT_FD_VARIABLE] ?? '') ?? []
  if (inherited === undefined) return undefined
  // The inherited descriptor has no O_CLOEXEC: a child process would keep the reader waiting. The new one has it.
  const fd = openSync(`/proc/self/fd/${inherited}`, 'w')
  closeSync(Number(inherited))
  const write = (text: string) => void unlessErrno(() => writeSync(fd, text))
  return {
    started: () => write('started\n'),
    failed: ({code, message, suggestions, exitCode}) =>
      write(`failed ${JSON.stringify({code, message, suggestions, exitCode})}\n`),
  }
}
