import assert from 'node:assert/strict'
import {readFile, rm} from 'node:fs/promises'
import {join} from 'node:path'
import type {SandboxedCli} from './cli.js'
import {startGroup} from './process-group.js'

/** A call by which envs, or a worker that it started, changes files or starts a program. */
export type Step = {
  /** 0 for envs itself, else which of its workers, from 1 on. */
  readonly program: number
  /** Which call of that program, from 1 on. */
  readonly call: number
  /** Of the function. */
  readonly name: string
  /** The last part of the path, or what was started. */
  readonly detail: string
}

type Place = Pick<SandboxedCli, 'home' | 'env'>

const PRELOAD = new URL('./programs/kill-at.mjs', import.meta.url).href

/** Runs a command to its end. @returns Its steps, in order, and how it ended. */
export async function stepsOf(
  cli: Place,
  argv: readonly string[],
): Promise<{steps: Step[]; status: number | null; stderr: string}> {
  const log = join(cli.home, 'steps')
  const {status, stderr} = await startPreloaded(cli, argv, {ENVS_STEP_LOG: log}).ended
  const lines = (await readFile(log, 'utf8').catch(() => '')).split('\n').filter(Boolean)
  await rm(log, {force: true})
  return {steps: lines.map(parseStep), status, stderr}
}

export type Kill = Step & {
  /** Before the call, or when it has been made. */
  readonly moment: 'before' | 'after'
  /** Whether what envs has started goes on by itself. */
  readonly isAlone: boolean
}

/** Runs a command that is killed at a step. @returns Whether envs was; false where it ended, or only lost its worker. */
export async function runKilled(cli: Place, argv: readonly string[], kill: Kill): Promise<boolean> {
  const {signal} = await startPreloaded(cli, argv, {
    ENVS_STEP_KILL: `${kill.program}:${kill.call}`,
    ENVS_STEP_ALONE: kill.isAlone ? '1' : '0',
    ENVS_STEP_AFTER: kill.moment === 'after' ? '1' : '0',
  }).ended
  return signal === 'SIGKILL'
}

/** How many steps of each kind are tried, at most, where every step is not. */
const MOST = {landmarks: 12, starts: 2, others: 4, inWorkers: 3}
const ARE_ALL = process.env['ENVS_TEST_STEPS'] === 'all'

/** By which something finished appears or goes, or another program begins. */
const LANDMARK = /^(rename|link|unlink|rm|rmdir|spawn)(Sync)?$/

/**
 * Steps from all over a command, each kind of them, and in which way it is killed there.
 *
 * @param isSlow - Whether it takes so long that a third of them must do.
 */
export function chooseKills(steps: readonly Step[], {isSlow = false}: {isSlow?: boolean} = {}): Kill[] {
  const spread = (kind: keyof typeof MOST, all: readonly Step[]) =>
    spreadOver(all, ARE_ALL ? all.length : Math.ceil(MOST[kind] / (isSlow ? 3 : 1)))
  // Folders of the store, which are there.
  const own = steps.filter(
    ({program, detail}) => program === 0 && !['locks', 'environments'].includes(detail),
  )
  const landmarks = own.filter(({name}) => LANDMARK.test(name))
  const others = own.filter(({name}) => !LANDMARK.test(name))
  const starts = own.filter(({name}) => name === 'spawn')
  const inWorkers = steps.filter(({program}) => program > 0)
  return [
    ...[...spread('landmarks', landmarks), ...spread('others', others)].map(
      (step) => ({...step, moment: 'before', isAlone: false}) as const,
    ),
    ...spread('starts', starts).flatMap((step) =>
      [true, false].map((isAlone) => ({...step, moment: 'after', isAlone}) as const),
    ),
    ...spread('inWorkers', inWorkers).map(
      (step, index) => ({...step, moment: 'before', isAlone: index % 2 === 1}) as const,
    ),
    ...own.slice(-1).map((step) => ({...step, moment: 'after', isAlone: false}) as const),
  ]
}

/** At most so many, from all over the list. */
function spreadOver<T>(all: readonly T[], most: number): T[] {
  const distance = Math.max(1, all.length / most)
  const chosen: T[] = []
  for (let place = distance / 2; place < all.length; place += distance) {
    const one = all[Math.floor(place)]
    if (one !== undefined) chosen.push(one)
  }
  return chosen
}

/** Fails where hardly any run was killed: then nothing was tried. A few come to their end by fewer calls than they had. */
export function assertHits(hits: number, kills: readonly Kill[]): void {
  const wanted = kills.filter(({program, isAlone}) => program === 0 || !isAlone).length
  assert.ok(hits >= wanted / 2, `${hits} of ${wanted} were killed`)
}

export function describeKill({program, call, name, detail, moment, isAlone}: Kill): string {
  const who = program === 0 ? 'envs' : `worker ${program}`
  return `${who}${isAlone ? ' alone' : ''} killed ${moment} call ${call}: ${name} ${detail}`
}

function startPreloaded(cli: Place, argv: readonly string[], variables: Readonly<Record<string, string>>) {
  // What V8 made is kept after some runs and not after others: each run is to have the same steps.
  const same = {NODE_DISABLE_COMPILE_CACHE: '1', NODE_OPTIONS: `--import=${PRELOAD}`}
  return startGroup(cli, argv, {...variables, ...same})
}

function parseStep(line: string): Step {
  const [, program, call, name = '', detail = ''] = /^(\d+):(\d+) (\S+) (.*)$/.exec(line) ?? []
  return {program: Number(program), call: Number(call), name, detail}
}
