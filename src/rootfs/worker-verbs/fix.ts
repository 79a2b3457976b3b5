import {fixTree} from '../fixes/apply.js'
import {openTreeView} from '../fixes/tree-view.js'
import {noteTree} from '../tree-notes.js'
import type {FixReport, WorkerRequests} from '../worker-request.js'

export function fix({root, facts, only}: WorkerRequests['fix']): FixReport {
  const changed = fixTree(root, facts, only)
  return {changed, notes: noteTree(openTreeView(root), facts)}
}
