import {applyEdits} from './edits.js'
import type {Facts} from './fix.js'
import {FIXES} from './index.js'
import {openTreeView} from './tree-view.js'

/**
 * Applies fixes in their order.
 *
 * @param only - Names of fixes; all if left out.
 * @returns Names of the fixes that changed something.
 * @throws {FixFailedError | StorageFullError}
 */
export function fixTree(root: string, facts: Facts, only?: readonly string[]): string[] {
  return FIXES.filter(({name}) => only === undefined || only.includes(name))
    .filter((fix) => applyEdits(root, fix.plan(openTreeView(root), facts)))
    .map(({name}) => name)
}
