import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {catchInterruption} from '../../src/cli/command.js'
import {InterruptedError} from '../../src/cli/errors.js'
import {packageRoot} from '../../src/host/paths.js'
import type {Identity} from '../../src/sandbox/identity.js'
import {debianRootfs} from '../../test/support/debian-rootfs.js'
import {readOptions} from '../command-line.js'
import {replaceServices} from '../report.js'
import {openStore} from '../store.js'
import {type Cell, prepare, tryCell} from './cell.js'
import {parseServicesOptions, SERVICES_USAGE, type ServicesOptions} from './options.js'
import {formatRows, parseRows, type Row, renderServices, replaceRows, rowsOf} from './table.js'

const FILES = {
  rows: join(packageRoot(), 'matrix', 'services.tsv'),
  page: join(packageRoot(), 'docs', 'compatibility.md'),
}

/** Boots environments with services and asks them; `npm run matrix -- services --help`. */
export async function runServicesMatrix(
  argv: readonly string[],
  identitiesHere: () => Promise<Identity[]>,
): Promise<void> {
  if (argv.includes('--help')) return void process.stdout.write(SERVICES_USAGE)
  const options = readOptions(argv, {parse: parseServicesOptions, usage: SERVICES_USAGE})
  if (options === undefined) return
  const store = await openStore(options.store)
  const {signal, release} = catchInterruption()
  try {
    const fresh: Row[] = []
    for (const cell of await cellsOf(options, identitiesHere)) {
      const rows = await rowsOfCell(cell, {
        options,
        signal,
        run: async (each) => {
          await prepare(each, {store, signal, packages: options.packages})
          return tryCell(each, {store, signal, packages: options.packages})
        },
      })
      fresh.push(...rows)
      process.stdout.write(formatRows(rows))
      if (options.writesDocument) await keep(rows)
    }
    if (fresh.some(({result}) => result.startsWith('no'))) process.exitCode = 1
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error
    process.stderr.write('Interrupted: removing the environments.\n')
    process.exitCode = error.exitCode
  } finally {
    await store.close()
    release()
  }
}

async function cellsOf(options: ServicesOptions, identitiesHere: () => Promise<Identity[]>): Promise<Cell[]> {
  const identities = options.identities ?? (await identitiesHere())
  const images = await Promise.all(
    options.releases.map(async (release) => ({release, image: await imageOf(release)})),
  )
  return images.flatMap(({release, image}) =>
    identities.flatMap((identity) => options.inits.map((init) => ({release, image, identity, init}))),
  )
}

/** Debian's is made from the host's mirror, Ubuntu's from its package repository. */
async function imageOf(release: string): Promise<string> {
  return release === 'trixie' ? debianRootfs() : `${release}/archive`
}

/** An environment that does not boot is a row too: `no`, with the reason. */
async function rowsOfCell(
  cell: Cell,
  {
    options,
    signal,
    run,
  }: {options: ServicesOptions; signal: AbortSignal; run: (cell: Cell) => ReturnType<typeof tryCell>},
): Promise<Row[]> {
  const place = {groups: options.groups, date: new Date().toISOString().slice(0, 10)}
  try {
    return rowsOf(await run(cell), place)
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof Error)) throw error
    process.stderr.write(`${error.message}\n`)
    const [reason = ''] = error.message.split('\n')
    return rowsOf({...cell, whole: `no (${reason})`, bootMs: 0, answers: []}, place)
  }
}

async function keep(fresh: readonly Row[]): Promise<void> {
  const kept = parseRows(await readFile(FILES.rows, 'utf8'))
  const rows = replaceRows(kept, fresh)
  await writeFile(FILES.rows, formatRows(rows))
  await writeFile(FILES.page, replaceServices(await readFile(FILES.page, 'utf8'), renderServices(rows)))
}
