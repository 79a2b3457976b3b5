import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join, resolve} from 'node:path'
import type {Host} from '../src/host/host.js'
import {debianRootfs} from '../test/support/debian-rootfs.js'
import {hostImage} from './image.js'
import {type DiskContent, makeDisk} from './ingredients.js'
import {childSeconds} from './invocation.js'
import {attendMachine, bootMachine, type Machine, type MachineOptions} from './machine.js'
import type {HostRelease} from './releases.js'
import {type Row, rowOf, STEPS} from './row.js'
import type {MeasuredRun} from './runs.js'
import {readScript, readTrials} from './trials.js'

export type HostContext = {
  readonly host: Host
  readonly isFresh: boolean
  readonly acceleration: string
  readonly patience: number
  readonly signal: AbortSignal
  /** Receives lines for the one who waits. */
  readonly note: (text: string) => void
}

type Trials = {
  /** Lines `SCENE ACCOUNT ENGINE`. */
  readonly plan: readonly string[]
  readonly onRow: (row: Row, seconds: number) => void
}

/** Makes the trials of a host. */
export function tryHost(
  release: HostRelease,
  {plan, onRow}: Trials,
  context: HostContext,
): Promise<MeasuredRun> {
  return withMachine(release, {mode: 'trials', plan}, context, async (options) => {
    const startMs = Date.now()
    const secondsSo = () => Math.round((Date.now() - startMs) / 1000)
    const tell = (text: string) => context.note(`${release.name}, ${secondsSo()} s: ${text}\n`)
    let trials = 0
    const observer: Parameters<typeof readTrials>[1] = {
      now: Date.now,
      onBoot: ({system, kernel}) => tell(`booted ${system}, Linux ${kernel}`),
      onScene: (scene) => tell(`scene ${scene}`),
      onTrial(trial) {
        trials += 1
        onRow(rowOf(release.name, trial), trial.seconds)
      },
    }
    const before = await childSeconds()
    const {facts, absent} = await stopped(options, (machine) => readTrials(machine, observer))
    for (const {scene, log} of absent) tell(`the scene ${scene} could not be made: ${log.trim()}`)
    tell(`${trials} trials`)
    return {
      host: release.name,
      ...facts,
      trials,
      seconds: secondsSo(),
      processorSeconds: Math.round((await childSeconds()) - before),
    }
  })
}

/** Gives the caller's terminal to a root shell on the host. */
export function attendHost(release: HostRelease, context: HostContext): Promise<void> {
  return withMachine(release, {mode: 'shell', plan: []}, context, attendMachine)
}

/** Runs a script as root on the host, and shows what it prints. @returns Its exit status. */
export function runScript(release: HostRelease, script: string, context: HostContext): Promise<number> {
  const print = (line: string) => process.stdout.write(`${line}\n`)
  return withMachine(release, {mode: 'script', plan: [], script: resolve(script)}, context, (options) =>
    stopped(options, (machine) => readScript(machine, print)),
  )
}

async function stopped<Value>(
  options: MachineOptions,
  use: (machine: Machine) => Promise<Value>,
): Promise<Value> {
  const machine = bootMachine(options)
  try {
    return await use(machine)
  } finally {
    await machine.stop()
  }
}

type MachineWish = Pick<DiskContent, 'plan' | 'script'> & {readonly mode: 'trials' | 'shell' | 'script'}

/** Makes all that a machine boots from, in a folder that is removed afterwards. */
async function withMachine<Value>(
  release: HostRelease,
  {mode, ...content}: MachineWish,
  {host, isFresh, acceleration, patience, signal, note}: HostContext,
  use: (options: MachineOptions) => Promise<Value>,
): Promise<Value> {
  const image = await hostImage(release, {host, isFresh, acceleration, patience, signal, note})
  const folder = await mkdtemp(join(tmpdir(), 'envs-hosts-'))
  try {
    const settings = {
      ...{mode, name: release.name, columns: STEPS.join(' ')},
      term: process.env['TERM'] ?? 'dumb',
      patience: String(patience),
    }
    const disk = await makeDisk(folder, {...content, rootfs: await debianRootfs(), settings}, signal)
    return await use({image, disk, folder, acceleration, patience, signal})
  } finally {
    await rm(folder, {recursive: true, force: true})
  }
}
