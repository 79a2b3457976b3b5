import type {HostFacts} from './dialogue.js'

/** The facts of a host, and the time of its trials. */
export type MeasuredRun = HostFacts & {
  readonly host: string
  readonly trials: number
  /** Without the building of the host. */
  readonly seconds: number
  /** Of processors, in the same time. */
  readonly processorSeconds: number
}

const HEADER = [
  'host',
  'system',
  'kernel',
  'bubblewrap',
  'bootSeconds',
  'trials',
  'seconds',
  'processorSeconds',
] as const

/** Parses hosts/runs.tsv. @throws {Error} If it is of another form. */
export function parseRuns(text: string): MeasuredRun[] {
  const [header, ...lines] = text.split('\n').filter((line) => line !== '')
  if (header !== HEADER.join('\t')) throw new Error(`The runs must begin with the line ${HEADER.join(' ')}.`)
  return lines.map((line) => {
    const [host = '', system = '', kernel = '', bubblewrap = '', boot, trials, seconds, processor] =
      line.split('\t')
    const numbers = {
      ...{bootSeconds: Number(boot), trials: Number(trials)},
      ...{seconds: Number(seconds), processorSeconds: Number(processor)},
    }
    if (Object.values(numbers).some(Number.isNaN)) throw new Error(`A run without its figures: ${line}`)
    return {host, system, kernel, bubblewrap, ...numbers}
  })
}

export function printRuns(runs: readonly MeasuredRun[]): string {
  const lines = runs.map((run) => HEADER.map((name) => String(run[name])))
  return [HEADER, ...lines].map((words) => `${words.join('\t')}\n`).join('')
}
