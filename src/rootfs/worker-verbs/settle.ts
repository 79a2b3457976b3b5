import {fixTree} from '../fixes/apply.js'
import {planFiles} from '../fixes/planned-files.js'
import {openTreeView} from '../fixes/tree-view.js'
import {noteTree} from '../tree-notes.js'
import type {SettleReport, SettleRequest} from '../worker-request.js'

/** Does everything in one program: each start of one takes longer than this work. */
export function settle({root, facts, only, planned}: SettleRequest): SettleReport {
  fixTree(root, facts, only)
  return {
    notes: noteTree(openTreeView(root), facts),
    planned: planFiles(root, facts, planned),
  }
}
