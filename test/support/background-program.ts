import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {findProgram, type Program, programFiles} from '../../src/environments/programs/program.js'
import type {Guest} from './guest.js'
import {waitUntil} from './wait-until.js'

/** A program that `envs run --detach` keeps running in the environment of a guest. */
export type BackgroundProgram = {
  /** What is known of it now. */
  facts(): Promise<Program>
  /** Waits until it is in a state. */
  until(state: Program['state']): Promise<Program>
  /** What it has printed, and what its keeper noted, a line each without times; the older file first. */
  log(): readonly string[]
  /** Waits until a line of its log is this one. */
  untilLogged(line: string): Promise<unknown>
}

/** `envs run --detach FLAG… play -- COMMAND…` under a name; it must start. */
export async function startProgram(
  guest: Guest,
  name: string,
  {flags = []}: {readonly flags?: readonly string[]},
  ...command: readonly string[]
): Promise<BackgroundProgram> {
  const started = await guest.cli.run('run', '--detach', '--name', name, ...flags, 'play', '--', ...command)
  assert.deepEqual([started.status, started.stdout], [0, ''], started.stderr)
  return programNamed(guest, name)
}

/** The program of a name, which may have ended. */
export function programNamed({state: runFolder}: Guest, name: string): BackgroundProgram {
  const {log, olderLog} = programFiles(runFolder, name)
  const facts = async () => {
    const found = await findProgram(runFolder, name)
    assert.ok(found, `there is no program ${name}`)
    return found
  }
  const lines = () => [...linesOf(olderLog), ...linesOf(log)]
  return {
    facts,
    until: (state) =>
      waitUntil(`${name} to be ${state}`, async () => {
        const found = await facts()
        return found.state === state && found
      }),
    log: lines,
    untilLogged: (line) => waitUntil(`"${line}" in the log of ${name}`, () => lines().includes(line)),
  }
}

function linesOf(path: string): string[] {
  try {
    const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1)
    return lines.map((line) => line.replace(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ /, ''))
  } catch {
    return []
  }
}
