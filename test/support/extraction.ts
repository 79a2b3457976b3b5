import {mkdir, mkdtemp, readdir, readFile, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import type {TestContext} from 'node:test'
import {type ArchiveInput, peekArchive} from '../../src/compression/input.js'
import {findProgram, openHost} from '../../src/host/host.js'
import {type ExtractOptions, type ExtractReport, extractTree} from '../../src/rootfs/extract.js'
import {extractLayer, type LayerReport} from '../../src/rootfs/layer/extract.js'
import {removeEntries} from '../../src/rootfs/remove.js'

export const which = (program: string): string | undefined => findProgram(program, process.env['PATH'] ?? '')

/** Bytes as they come from a pipe, in pieces of the given length. */
async function* inPieces(bytes: Buffer, pieceBytes = 64 * 1024): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
}

function archiveInput(bytes: Buffer, pieceBytes?: number): Promise<ArchiveInput> {
  return peekArchive(inPieces(bytes, pieceBytes))
}

/** As a temporary folder, but one whose contents may forbid their own removal. */
export async function treeFolder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'envs-test-'))
  t.after(() => {
    removeEntries(path)
  })
  return path
}

/** A folder to extract into, which lies in a folder of the test's own, beside things nobody may touch. */
export type Arena = {
  readonly root: string
  /** The folder around the root. */
  readonly outside: string
  extract(archive: Buffer, options?: Partial<ExtractOptions>): Promise<ExtractReport>
  /** As a layer of an image of containers, with its files outside the root. */
  extractLayer(bytes: Buffer, options?: Partial<ExtractOptions>): Promise<LayerReport>
  /** All that is outside the root, to be compared with {@link UNTOUCHED}. */
  outsideContents(): Promise<Record<string, string>>
}

/** What {@link Arena.outsideContents} gives as long as no attack has worked. */
export const UNTOUCHED = {'sentinel.txt': 'untouched'}

export async function extractionArena(t: TestContext): Promise<Arena> {
  const outside = await treeFolder(t)
  const root = join(outside, 'rootfs')
  await mkdir(root)
  await writeFile(join(outside, 'sentinel.txt'), 'untouched')
  return {
    outside,
    root,
    async extract(archive, options = {}) {
      return extractTree(await archiveInput(archive), root, {
        owners: 'caller',
        which,
        architecture: openHost().architecture,
        ...options,
      })
    },
    async extractLayer(bytes, options = {}) {
      return extractLayer(await archiveInput(bytes), root, {
        owners: 'caller',
        which,
        architecture: openHost().architecture,
        changes: join(outside, 'changes.json'),
        ledger: join(outside, 'ledger.jsonl'),
        ...options,
      })
    },
    async outsideContents() {
      const names = (await readdir(outside)).filter((name) => name !== 'rootfs')
      return Object.fromEntries(
        await Promise.all(
          names.map(async (name) => [name, await readFile(join(outside, name), 'utf8').catch(String)]),
        ),
      )
    },
  }
}
