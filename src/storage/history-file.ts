import {
  parseRecordText,
  type RecordFormat,
  recordCircumstances,
  requireRecordFile,
  writeRecordFile,
} from '../host/records.js'
import {historyUnreadableError} from './errors.js'
import {type History, historySchema} from './history.js'

const HISTORY_FORMAT: RecordFormat<typeof historySchema> = {
  schema: historySchema,
  version: 1,
  migrations: [],
  // A thousand snapshots of a hundred layers each; retention removes them long before.
  maxBytes: 4 * 2 ** 20,
  indent: 1,
  unreadable: (path, problem) =>
    historyUnreadableError({path, reason: problem.why}, recordCircumstances(problem)),
}

/** Writes the history by one rename: before it the old state is valid, after it the new one. */
export async function writeHistory(
  path: string,
  history: History,
  options: {readonly isSynced?: boolean} = {},
): Promise<void> {
  await writeRecordFile(path, history, {...HISTORY_FORMAT, ...options})
}

/** @throws {historyUnreadableError} @throws {NodeJS.ErrnoException} ENOENT when there is none. */
export async function readHistory(path: string): Promise<History> {
  return requireRecordFile(path, HISTORY_FORMAT)
}

/** @param path - For the message alone. @throws {historyUnreadableError} */
export function parseHistory(text: string, path: string): History {
  return parseRecordText(text, path, HISTORY_FORMAT)
}
