import {writeFileSync} from 'node:fs'
import * as v from 'valibot'
import {readSmallFile} from '../../host/files.js'
import {
  numberField,
  parseRecordText,
  type RecordFormat,
  type RecordOf,
  recordText,
  unreadableBy,
} from '../../host/records.js'
import {layerUnreadableError} from '../errors.js'

/** Paths are real paths in the layer, relative to its root: byte strings (latin1, one character a byte). */
const changesSchema = v.object({
  /** Names of the layers below that the layer removes, with all that is in them. */
  hidden: v.array(v.string()),
  /** Folders whose entries of the layers below are removed; the empty path is the root. */
  opaque: v.array(v.string()),
  /** Folders that the layer has no entry for: they look as the layers below have them. */
  implied: v.array(v.string()),
  /** Hard links to files of the layers below, each with its target. */
  links: v.array(v.tuple([v.string(), v.string()])),
  /** Modes of folders whose owner may not read or enter them; on disk he may, because layers are read again. */
  modes: v.array(v.tuple([v.string(), numberField])),
  /** Extended attributes `user.*` of folders: the path, the name, and the value in base64. */
  attributes: v.array(v.tuple([v.string(), v.string(), v.string()])),
})

/**
 * The effects of a layer of a container image on the layers below it. They are in a file beside the tree of the layer, which is a plain tree
 * without whiteouts: it is never mounted.
 */
export type LayerChanges = RecordOf<typeof changesSchema>

const CHANGES_FORMAT: RecordFormat<typeof changesSchema> = {
  schema: changesSchema,
  // A byte of a path takes six characters of JSON at most.
  maxBytes: 64 * 2 ** 20,
  indent: 0,
  unreadable: unreadableBy(layerUnreadableError),
}

/** Limit for the bytes of all paths; large images have some thousand paths. */
export const MOST_CHANGES_BYTES = 8 * 2 ** 20

/** @param path - A new file. @throws {NodeJS.ErrnoException} */
export function writeChanges(path: string, changes: LayerChanges): void {
  writeFileSync(path, recordText(changes, CHANGES_FORMAT), {flag: 'wx', mode: 0o600})
}

/** @throws {@link layerUnreadableError} @throws {NodeJS.ErrnoException} */
export function readChanges(path: string): LayerChanges {
  return parseRecordText(readSmallFile(path), path, CHANGES_FORMAT)
}
