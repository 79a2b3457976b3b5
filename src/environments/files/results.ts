import * as v from 'valibot'
import type {RecordOf} from '../../host/records.js'
import {described} from '../../host/result-fields.js'

export const fileCopyResult = described(
  v.object({
    from: described(v.string(), 'as typed'),
    to: described(v.string(), 'as typed'),
    files: v.number(),
    folders: v.number(),
    links: v.number(),
    bytes: v.number(),
    skipped: described(v.number(), 'devices, sockets and FIFOs, which are left out'),
  }),
  'Numbers of what was copied.',
)
export type FileCopyResult = RecordOf<typeof fileCopyResult>
