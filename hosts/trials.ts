import {type HostFacts, type Marker, parseMarker, type Ran} from './dialogue.js'
import type {Machine} from './machine.js'

/** The steps of one account with one engine. */
export type Trial = {
  readonly scene: string
  readonly account: string
  readonly engine: string
  readonly steps: ReadonlyMap<string, Ran>
  /** Lines of the kernel's log. */
  readonly log: string
  readonly seconds: number
}

/** A scene that could not be entered, with what its programs said. */
type AbsentScene = {readonly scene: string; readonly log: string}

type HostRun = {
  readonly facts: HostFacts
  readonly absent: readonly AbsentScene[]
}

/** Several times what was seen with emulated processors; that of a step is above the one that hosts/guest/trial sets. */
const LIMITS_SECONDS = {boot: 300, scene: 300, step: 200}

type ReadOptions = {
  readonly now: () => number
  readonly onBoot: (facts: HostFacts) => void
  readonly onScene: (scene: string) => void
  /** Receives a step that has ended, with its status. */
  readonly onStep: (text: string) => void
  readonly onTrial: (trial: Trial) => void
}

/**
 * Reads the dialogue of a host to its end.
 *
 * @throws {@link SilentHostError}
 */
export async function readTrials(
  machine: Machine,
  {now, onBoot, onScene, onStep, onTrial}: ReadOptions,
): Promise<HostRun> {
  const absent: AbsentScene[] = []
  const first = await nextMarker(machine, LIMITS_SECONDS.boot, 'the host to boot')
  if (first.kind !== 'host') throw unexpected(first)
  onBoot(first.facts)
  let current:
    | {trial: Omit<Trial, 'steps' | 'log' | 'seconds'>; steps: Map<string, Ran>; startMs: number}
    | undefined
  let step = ''
  let scene = ''
  let waiting = 'the first scene'
  for (;;) {
    const marker = await nextMarker(machine, LIMITS_SECONDS[step === '' ? 'scene' : 'step'], waiting)
    switch (marker.kind) {
      case 'scene':
        scene = marker.scene
        onScene(scene)
        waiting = `the scene ${scene}`
        break
      case 'entered':
        if (marker.status !== 0) absent.push({scene, log: marker.log})
        waiting = `a trial of the scene ${scene}`
        break
      case 'step': {
        const {kind: _, step: name, ...trial} = marker
        current ??= {trial, steps: new Map(), startMs: now()}
        step = name
        waiting = `${trial.scene} ${trial.account} ${trial.engine}: ${name}`
        break
      }
      case 'done':
        current?.steps.set(step, marker.ran)
        onStep(`${waiting} ${marker.ran.status}`)
        step = ''
        break
      case 'log':
        if (current === undefined) throw unexpected(marker)
        onTrial({
          ...current.trial,
          steps: current.steps,
          log: marker.text,
          seconds: (now() - current.startMs) / 1000,
        })
        current = undefined
        waiting = 'the next trial'
        break
      case 'end':
        return {facts: first.facts, absent}
      case 'host':
        throw unexpected(marker)
    }
  }
}

/** Passes on what a script prints. @returns Its exit status. */
export async function readScript(machine: Machine, print: (line: string) => void): Promise<number> {
  await nextMarker(machine, LIMITS_SECONDS.boot, 'the host to boot')
  for (;;) {
    const line = await machine.nextLine(SCRIPT_LIMIT_SECONDS, 'a line of the script')
    const marker = line.startsWith('@end\t') ? parseMarker(line) : undefined
    if (marker?.kind === 'end') return marker.status
    print(line)
  }
}

/** A script may think long. */
const SCRIPT_LIMIT_SECONDS = 3600

/** Waits for a host that only boots and turns itself off. @throws {@link SilentHostError} */
export async function readBoot(machine: Machine): Promise<void> {
  const marker = await nextMarker(machine, FIRST_BOOT_SECONDS, 'the first boot')
  if (marker.kind !== 'end') throw unexpected(marker)
  await machine.turnedOff(FIRST_BOOT_SECONDS)
}

/** AppArmor compiles a hundred profiles in it. */
const FIRST_BOOT_SECONDS = 600

async function nextMarker(machine: Machine, seconds: number, what: string): Promise<Marker> {
  for (;;) {
    const line = await machine.nextLine(seconds, what)
    const marker = parseMarker(line)
    if (marker !== undefined) return marker
  }
}

function unexpected({kind}: Marker): Error {
  return new Error(`The host said @${kind} where nothing waits for it.`)
}
