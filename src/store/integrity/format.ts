import {existsSync} from 'node:fs'
import {join} from 'node:path'
import * as v from 'valibot'
import type {Paths} from '../../host/paths.js'
import {
  type RecordFormat,
  readRecordFile,
  recordCircumstances,
  recordObject,
  writeRecordFile,
} from '../../host/records.js'
import {recordUnreadableError, storeNewerError} from '../errors.js'

/**
 * The form of the store as a whole. `required` names the features without which a version of envs would misread or damage the
 * store: the first command that uses such a feature adds its name.
 */
const storeSchema = recordObject({required: v.array(v.string())})

/** The features of `required` that this version has. */
const FEATURES: ReadonlySet<string> = new Set<string>([])

const STORE_FORMAT: RecordFormat<typeof storeSchema> = {
  schema: storeSchema,
  maxBytes: 2 ** 16,
  indent: 2,
  unreadable: (path, problem) =>
    problem.isNewer
      ? storeNewerError({folder: join(path, '..'), reason: problem.why})
      : recordUnreadableError(
          {path, reason: problem.why},
          {...recordCircumstances(problem), suggestions: RESTORE},
        ),
}

const RESTORE = [
  'Restore the file from a backup. If no newer version of envs has used this store, remove the file.',
]

function storePath({data}: Pick<Paths, 'data'>): string {
  return join(data, 'store.json')
}

/**
 * Refuses a store that a newer version of envs has changed in a way that this one does not know. A store without the file is of
 * version 0.1, which wrote none.
 *
 * @throws {@link storeNewerError} @throws {@link recordUnreadableError}
 */
export function checkStoreFormat(paths: Pick<Paths, 'data'>): void {
  const {required} = readRecordFile(storePath(paths), STORE_FORMAT) ?? {required: []}
  const unknown = required.filter((feature) => !FEATURES.has(feature))
  if (unknown.length > 0)
    throw storeNewerError({
      folder: paths.data,
      reason: `a newer envs used the ${unknown.length === 1 ? 'feature' : 'features'} ${unknown.join(', ')}`,
    })
}

/** Writes the form of a new store; a file that exists stays. */
export async function noteStoreFormat(paths: Pick<Paths, 'data'>): Promise<void> {
  if (!existsSync(storePath(paths))) await writeRecordFile(storePath(paths), {required: []}, STORE_FORMAT)
}
