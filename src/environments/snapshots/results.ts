import * as v from 'valibot'
import type {RecordOf} from '../../host/records.js'
import {countField, dateField, described, ownNameField} from '../../host/result-fields.js'

export const snapshotResult = v.object({
  name: ownNameField,
  label: v.string(),
  createdAt: dateField,
  copiedBytes: described(countField, 'size of the copy of a running environment; 0 when it is stopped'),
  frozenMs: described(v.number(), 'how long its processes were frozen'),
})

export const snapshotListResult = v.array(
  v.object({
    label: v.string(),
    kind: v.picklist(['manual', 'automatic', 'replaced', 'initial', 'cloned', 'project']),
    createdAt: dateField,
    isLatest: described(v.boolean(), 'whether the current state follows this snapshot directly'),
    changedBytes: described(countField, 'size of the files written since the previous snapshot'),
    heldBytes: described(countField, 'space that the removal of this snapshot alone frees'),
  }),
)
export type SnapshotListResult = RecordOf<typeof snapshotListResult>

export const restoreResult = v.object({
  name: ownNameField,
  label: described(v.string(), 'label of the restored snapshot'),
  createdAt: dateField,
  kept: described(v.string(), 'label of the snapshot of the replaced state'),
  isKeptNew: described(v.boolean(), 'false when that snapshot existed before'),
})
export type RestoreResult = RecordOf<typeof restoreResult>
