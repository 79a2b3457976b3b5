/** Tries envs on real hosts, booted in QEMU; `npm run hosts -- --help`. docs/doctor.md quotes what was seen. */
import {existsSync} from 'node:fs'
import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {readOptions} from '../matrix/command-line.js'
import {catchInterruption} from '../src/cli/command.js'
import {InterruptedError} from '../src/cli/errors.js'
import {ExitCode} from '../src/errors.js'
import {openHost} from '../src/host/host.js'
import {packageRoot} from '../src/host/paths.js'
import {attendHost, type HostContext, runScript, tryHost} from './attendance.js'
import {ProgramFailedError} from './invocation.js'
import {SilentHostError} from './machine.js'
import {type Options, parseOptions, plannedTrials, USAGE} from './options.js'
import {missingPrograms} from './programs.js'
import {RELEASES} from './releases.js'
import {renderDifferences, renderSection, renderTrial, replaceSection} from './report.js'
import type {Row} from './row.js'
import {type MeasuredRun, parseRuns, printRuns} from './runs.js'
import {compareRows, parseTable, printTable, updateRows} from './table.js'

const FILES = {
  table: join(packageRoot(), 'hosts', 'expected.tsv'),
  runs: join(packageRoot(), 'hosts', 'runs.tsv'),
  page: join(packageRoot(), 'docs', 'doctor.md'),
}

if (process.argv.includes('--help')) process.stdout.write(USAGE)
else {
  const options = readOptions(process.argv.slice(2), {parse: parseOptions, usage: USAGE})
  if (options !== undefined) await main(options)
}

async function main(options: Options): Promise<void> {
  const host = openHost()
  const missing = await missingPrograms(host)
  if (!existsSync(join(packageRoot(), 'dist', 'main.cjs'))) missing.push('envs is not built: npm run build')
  if (missing.length > 0) {
    process.stderr.write(missing.map((line) => `${line}\n`).join(''))
    process.exitCode = ExitCode.host
    return
  }
  const {signal, release} = catchInterruption()
  const {isFresh, acceleration, patience} = options
  const note = (text: string) => process.stderr.write(text)
  try {
    await act(options, {host, isFresh, acceleration, patience, signal, note})
  } catch (error) {
    const isKnown = error instanceof ProgramFailedError || error instanceof SilentHostError
    if (!isKnown && !(error instanceof InterruptedError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exitCode = error.exitCode
  } finally {
    release()
  }
}

async function act(options: Options, context: HostContext): Promise<void> {
  const [first] = options.releases
  switch (options.action.kind) {
    case 'trials':
      return await tryHosts(options, context)
    case 'shell':
      if (first !== undefined) await attendHost(first, context)
      return
    case 'script':
      if (first !== undefined) process.exitCode = await runScript(first, options.action.file, context)
      return
  }
}

/** Shows the rest after a host that failed, too: a run of all takes long. */
async function tryHosts(options: Options, context: HostContext): Promise<void> {
  const seen: Row[] = []
  const runs: MeasuredRun[] = []
  const wholeRuns = () => (options.scenes === undefined ? runs : [])
  const planned = options.releases.flatMap((release) => plannedTrials(release, options))
  for (const release of options.releases) {
    const plan = plannedTrials(release, options)
    if (plan.length === 0) continue
    const onRow = (row: Row, seconds: number) => {
      seen.push(row)
      context.note(renderTrial(row, seconds))
    }
    try {
      runs.push(await tryHost(release, {plan: plan.map(({line}) => line), onRow}, context))
    } finally {
      // A later trial may fail, or be interrupted.
      if (options.updatesTable) await updateTable(seen)
      if (options.updatesTable && options.writesDocument) await writeSection(wholeRuns())
    }
  }
  const differences = compareRows(
    await readTable(),
    seen,
    planned.map(({key}) => key),
  )
  process.stdout.write(
    `${renderDifferences(differences)}${seen.length} trials, ${differences.length} differences.\n`,
  )
  if (differences.length > 0) process.exitCode = 1
  else if (options.writesDocument) await writeSection(wholeRuns())
}

async function readTable(): Promise<Row[]> {
  return parseTable(await readFile(FILES.table, 'utf8'))
}

async function updateTable(rows: readonly Row[]): Promise<void> {
  const order = RELEASES.flatMap((release) => plannedTrials(release, {scenes: undefined})).map(({key}) => key)
  await writeFile(FILES.table, printTable(updateRows(await readTable(), rows, order)))
}

/** @param runs - Of whole plans. */
async function writeSection(runs: readonly MeasuredRun[]): Promise<void> {
  const before = parseRuns(await readFile(FILES.runs, 'utf8'))
  const all = RELEASES.flatMap(({name}) => [...runs, ...before].find(({host}) => host === name) ?? [])
  await writeFile(FILES.runs, printRuns(all))
  const page = await readFile(FILES.page, 'utf8')
  await writeFile(FILES.page, replaceSection(page, renderSection(await readTable(), all)))
}
