import {join} from 'node:path'
import {formatBytes} from '../src/cli/format.js'
import {renderTable} from '../src/cli/table.js'
import {type Bench, runAsUser} from './invocation.js'
import type {Product} from './product.js'

/** Disk usage of many environments of one image, and of as many copies of its tree; allocated bytes. */
export type DiskUse = {
  readonly title: string
  readonly compared: string
  readonly rows: readonly {readonly name: string; readonly bytes: number}[]
}

const MANY = 10

/**
 * Makes environments of one image, and as many copies of its tree with cp(1), and measures the growth of the
 * disk usage.
 *
 * @param home - The product's store, which keeps all of it.
 * @throws {InvocationFailedError}
 */
export async function measureDiskUse(
  rootfs: string,
  {product, home, bench}: {product: Product; home: string; bench: Bench},
): Promise<DiskUse> {
  const names = Array.from({length: MANY}, (_, index) => `many-${index}`)
  const create = ['create', rootfs, '--identity', 'emulated', '--quiet']
  await product.run(...create, '--storage', 'directory', '--name', 'plain')
  const {path} = JSON.parse(await product.run('path', 'plain', '--json'))
  const copies = join(home, 'copies')
  await runAsUser(['mkdir', copies], bench)
  for (const name of names) await runAsUser(['cp', '-a', '--reflink=never', path, join(copies, name)], bench)
  const copiedBytes = await allocated([copies], bench)
  await runAsUser(['rm', '-rf', copies], bench)
  const layers = join(home, 'data', 'layers')
  const environments = join(home, 'data', 'environments')
  await product.run('rm', '--now', 'plain')
  const before = await allocated([layers, environments], bench)
  await product.run(...create, '--storage', 'overlay', '--name', 'first')
  const first = await allocated([layers, environments], bench)
  for (const name of names.slice(1)) await product.run(...create, '--storage', 'overlay', '--name', name)
  const all = await allocated([layers, environments], bench)
  return {
    title: `Disk, ${MANY} environments of one image`,
    compared: 'Blocks that are allocated, by copies of one tree and by environments on layers.',
    rows: [
      {name: `${MANY} copies with cp -a`, bytes: copiedBytes},
      {name: `${MANY} environments`, bytes: all - before},
      {name: 'the first of them, with the unpacked image', bytes: first - before},
      {name: 'each other one', bytes: (all - first) / (MANY - 1)},
    ],
  }
}

export function renderDiskUse({title, compared, rows}: DiskUse): string {
  const most = rows[0]?.bytes ?? 0
  return [
    title,
    compared,
    renderTable<DiskUse['rows'][number]>(
      rows,
      [
        {title: 'what', show: ({name}) => name},
        {title: 'bytes', align: 'right', show: ({bytes}) => bytes.toFixed(0)},
        {title: 'size', align: 'right', show: ({bytes}) => formatBytes(bytes)},
        {title: 'x copies', align: 'right', show: ({bytes}) => (bytes / most).toFixed(5)},
      ],
      undefined,
    ),
  ].join('\n')
}

/** Blocks, not lengths: as in du(1), each file once. */
async function allocated(folders: readonly string[], bench: Bench): Promise<number> {
  // On a file system with delayed allocation, new data has no blocks before a sync.
  await runAsUser(['sync', '--file-system', ...folders], bench)
  const stdout = await runAsUser(['du', '--summarize', '--total', '--block-size=1', '--', ...folders], bench)
  return Number(stdout.trim().split('\n').at(-1)?.split('\t')[0])
}
