import {type DiskUse, renderDiskUse} from './disk-use.js'
import {type IdleMemory, renderIdleMemory} from './idle-memory.js'
import {type Machine, renderMachine} from './machine.js'
import type {Absence, Result} from './measure.js'
import {type PeakMemory, renderPeakMemory} from './peak-memory.js'
import {renderResult} from './report.js'
import {renderSessionMemory, type SessionMemory} from './session-memory.js'

/** All findings of a run: printed at once, and collected for the file. */
export class Findings {
  readonly #machine: Machine
  readonly #places = new Set<string>()
  readonly #results: Result[] = []
  readonly #diskUse: DiskUse[] = []
  readonly #memoryUse: SessionMemory[] = []
  readonly #idleMemory: IdleMemory[] = []
  readonly #peakMemory: PeakMemory[] = []
  readonly #leftOut: Absence[] = []

  constructor(machine: Machine) {
    this.#machine = machine
    process.stdout.write(`${renderMachine(machine)}\n`)
  }

  addResult(result: Result): void {
    this.#results.push(result)
    show(renderResult(result))
  }

  addDiskUse(use: DiskUse): void {
    this.#diskUse.push(use)
    show(renderDiskUse(use))
  }

  addSessionMemory(memory: SessionMemory): void {
    this.#memoryUse.push(memory)
    show(renderSessionMemory(memory))
  }

  addIdleMemory(memory: IdleMemory): void {
    this.#idleMemory.push(memory)
    show(renderIdleMemory(memory))
  }

  addPeakMemory(peak: PeakMemory): void {
    this.#peakMemory.push(peak)
    show(renderPeakMemory(peak))
  }

  /** A whole table that can't be made here. */
  leaveOut(absence: Absence): void {
    this.#leftOut.push(absence)
    show(`left out: ${absence.name} (${absence.reason})`)
  }

  /** Where the trees of the following tables are written. */
  addPlaces(description: string): void {
    if (!this.#places.has(description)) show(`Files go into ${description}.`)
    this.#places.add(description)
  }

  toJson(): string {
    const found = {
      machine: this.#machine,
      places: [...this.#places],
      results: this.#results,
      diskUse: this.#diskUse,
      memoryUse: this.#memoryUse,
      idleMemory: this.#idleMemory,
      peakMemory: this.#peakMemory,
      leftOut: this.#leftOut,
    }
    return `${JSON.stringify(found, null, 2)}\n`
  }
}

function show(text: string): void {
  process.stdout.write(`\n${text}\n`)
}
