import {type History, type Layers, type Snapshot, withoutSnapshots} from './history.js'
import type {LayerId} from './layer-id.js'

/** Neighbouring layers, from the bottom upwards, that can be merged into one. */
export type Run = readonly [LayerId, LayerId, ...LayerId[]]

/** The history without the removed labels, and the runs that can be merged. */
export type SquashPlan = {readonly history: History; readonly runs: readonly Run[]}

/**
 * Plans to reduce the stack below the upper layer to `most` layers: merges runs that no snapshot needs
 * separately. If that is not enough, removes automatic snapshots, oldest first.
 *
 * @returns Undefined if the other snapshots need too many layers.
 */
export function planSquash(history: History, most: number): SquashPlan | undefined {
  let rest = history
  for (;;) {
    const runs = mergeableRuns(rest)
    if (rest.layers.length - runs.reduce((saved, run) => saved + run.length - 1, 0) <= most)
      return {history: rest, runs}
    const oldest = rest.snapshots.find((each) => each.kind === 'automatic' && isInTheWay(rest, each))
    if (oldest === undefined) return undefined
    rest = withoutSnapshots(rest, new Set([oldest.label]))
  }
}

/**
 * Returns runs of the stack, without the image's layer, that each snapshot contains completely or not at all.
 */
export function mergeableRuns(history: History): Run[] {
  const {layers, snapshots} = history
  const bounds = new Set([1, layers.length, ...snapshots.map((each) => sharedDepth(layers, each.layers))])
  const runs: Run[] = []
  let start = 0
  for (const bound of [...bounds].sort((a, b) => a - b)) {
    const [first, second, ...others] = layers.slice(start, bound)
    if (start > 0 && first !== undefined && second !== undefined) runs.push([first, second, ...others])
    start = bound
  }
  return runs
}

function isInTheWay({layers}: History, snapshot: Snapshot): boolean {
  const depth = sharedDepth(layers, snapshot.layers)
  return depth > 1 && depth < layers.length
}

/** Returns how many layers, from the bottom, two stacks share. */
function sharedDepth(a: Layers, b: Layers): number {
  let depth = 0
  while (depth < a.length && a[depth] === b[depth]) depth++
  return depth
}

/** Returns the history with one layer in place of a run, in all stacks. */
export function withSquashed(history: History, run: Run, into: LayerId): History {
  return {
    ...history,
    layers: replaceRun(history.layers, run, into),
    snapshots: history.snapshots.map((each) => ({...each, layers: replaceRun(each.layers, run, into)})),
  }
}

function replaceRun(layers: Layers, run: Run, into: LayerId): Layers {
  const [base, ...others] = layers
  const at = others.findIndex((_, index) => run.every((id, offset) => others[index + offset] === id))
  if (at === -1) return layers
  return [base, ...others.slice(0, at), into, ...others.slice(at + run.length)]
}
