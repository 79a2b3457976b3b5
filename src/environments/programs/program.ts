import {join} from 'node:path'
import * as v from 'valibot'
import {UsageError} from '../../errors.js'
import {unlessErrno} from '../../host/errno.js'
import {namesIn, readSmallFile} from '../../host/files.js'
import {isLockFree} from '../../host/locks.js'
import {
  numberField,
  oneOfField,
  parseIfValid,
  type RecordFormat,
  type RecordOf,
  readRecordFile,
  timeField,
  unreadableBy,
  writeRecordFile,
} from '../../host/records.js'
import {RecordUnreadableError, recordUnreadableError} from '../../store/errors.js'

export const RESTART_POLICIES = ['no', 'on-failure', 'always'] as const

export type RestartPolicy = (typeof RESTART_POLICIES)[number]

/** A program that `envs run --detach` keeps running in an environment. */
export type Program = {
  readonly name: string
  readonly command: readonly string[]
  readonly restart: RestartPolicy
  /** `waiting`: it has ended, and starts again after a pause. */
  readonly state: 'starting' | 'running' | 'waiting' | 'ended'
  /** The time of the last start, or of the end. */
  readonly since: Date
  /** How often it was started again. */
  readonly restarts: number
  /** Exit status of the last session as a shell has it; null before the first one ended, and where its keeper was killed. */
  readonly status: number | null
  /** Whether somebody stopped it. */
  readonly isStopped: boolean
  /** The process on the host that keeps it running; null when there is none. */
  readonly keeperPid: number | null
}

/** Returns the paths of the state of one program; templates/host/program.pl writes there, and no guest reaches it. */
export function programFiles(runFolder: string, name: string) {
  const folder = join(runFolder, FOLDER, name)
  return {
    folder,
    record: join(folder, 'program.json'),
    state: join(folder, 'state'),
    /** FIFO for words to the program that keeps it running. */
    control: join(folder, 'control'),
    /** Locked while it is kept running. */
    lock: join(folder, 'lock'),
    log: join(folder, 'log'),
    olderLog: join(folder, 'log.1'),
  } as const
}

const FOLDER = 'programs'

/** A file name, and no option; shorter than a name of systemd's units may be. */
const NAME_FORM = /^[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,62}$/

function isProgramName(text: string): boolean {
  return NAME_FORM.test(text)
}

/** Checks the name of a program. @throws {UsageError} */
export function checkProgramName(text: string): void {
  if (!isProgramName(text))
    throw new UsageError(`"${text}" is not a valid name for a program.`, [
      'Give one with --name: 1 to 63 characters of A-Z, a-z, 0-9, dot, dash, plus, at and underscore.',
    ])
}

const programSchema = v.object({
  command: v.array(v.string()),
  restart: oneOfField(RESTART_POLICIES),
  createdAt: timeField,
})

const PROGRAM_FORMAT: RecordFormat<typeof programSchema> = {
  schema: programSchema,
  maxBytes: 4 * 2 ** 20,
  indent: 0,
  unreadable: unreadableBy(recordUnreadableError),
}

/** Writes the record of a program, before it starts. */
export async function writeProgram(path: string, record: RecordOf<typeof programSchema>): Promise<void> {
  await writeRecordFile(path, record, {...PROGRAM_FORMAT, isSynced: false})
}

const stateSchema = v.object({
  schemaVersion: v.literal(1),
  state: oneOfField(['starting', 'running', 'waiting', 'ended']),
  pid: v.pipe(v.number(), v.safeInteger(), v.minValue(2)),
  /** Seconds since 1970. */
  since: numberField,
  restarts: numberField,
  status: v.nullable(numberField),
  isStopped: v.boolean(),
})

/** Returns the programs of an environment by name, also those that have ended. */
export async function listPrograms(runFolder: string): Promise<Program[]> {
  const names = namesIn(join(runFolder, FOLDER)).filter(isProgramName).sort()
  return (await Promise.all(names.map((name) => findProgram(runFolder, name)))).flatMap(
    (found) => found ?? [],
  )
}

/** Returns one program; undefined where none has the name, or its record is damaged. */
export async function findProgram(runFolder: string, name: string): Promise<Program | undefined> {
  if (!isProgramName(name)) return undefined
  const files = programFiles(runFolder, name)
  const record = readWhole(files.record)
  if (record === undefined) return undefined
  const isKept = !(await isLockFree(files.lock))
  const state = parseIfValid(unlessErrno(() => readSmallFile(files.state)) ?? '', stateSchema)
  const {command, restart, createdAt} = record
  if (state === undefined)
    return {
      ...{name, command, restart, state: isKept ? 'starting' : 'ended', since: createdAt},
      ...{restarts: 0, status: null, isStopped: false, keeperPid: null},
    }
  const isLost = !isKept && state.state !== 'ended'
  return {
    ...{name, command, restart},
    state: isKept ? state.state : 'ended',
    since: new Date(state.since * 1000),
    restarts: state.restarts,
    status: isLost ? null : state.status,
    isStopped: state.isStopped,
    keeperPid: isKept ? state.pid : null,
  }
}

function readWhole(path: string): RecordOf<typeof programSchema> | undefined {
  try {
    return readRecordFile(path, PROGRAM_FORMAT)
  } catch (error) {
    if (error instanceof RecordUnreadableError) return undefined
    throw error
  }
}
