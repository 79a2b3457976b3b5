import {fixTree} from '../fixes/apply.js'
import {openTreeView} from '../fixes/tree-view.js'
import {noteTree} from '../tree-notes.js'
import type {WorkerRequest} from '../worker-request.js'
import type {FixReport} from '../worker-results.js'

export function fix({root, facts, only}: Extract<WorkerRequest, {verb: 'fix'}>): FixReport {
  const changed = fixTree(root, facts, only)
  return {changed, notes: noteTree(openTreeView(root), facts)}
}
