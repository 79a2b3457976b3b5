import {stat} from 'node:fs/promises'
import {join} from 'node:path'
import {findProgram} from '../src/host/host.js'
import {NO_DEVICES} from './extraction.js'
import {type Bench, InvocationFailedError, makeFolder, runAsUser} from './invocation.js'

export type LargeArchive = {
  /** A .tar.xz of several blocks. */
  readonly path: string
  readonly sizeBytes: number
  /** Size of all files after unpacking, and the number of entries. */
  readonly unpackedBytes: number
  readonly entries: number
}

/** The least unpacked size. */
const USUAL_BYTES = 1e9
const QUICK_BYTES = 1e8

/**
 * Blocks as those of `xz -6`, compressed much faster: the decoder is measured, which then has slightly more
 * to read.
 */
const USUAL_XZ = ['xz', '-T0', '--lzma2=preset=1,dict=8MiB', '--block-size=24MiB', '-c'] as const
const QUICK_XZ = ['xz', '-T0', '-0', '--block-size=24MiB', '-c'] as const

/** Each copy consists of hard links, which tar writes as files: so packing needs no disk space. */
const PACK = `
tree=$1 grown=$2 target=$3 copies=$4
shift 4
cp -al "$tree" "$grown"
number=0
while [ $number -lt $copies ]; do
  number=$((number + 1))
  cp -al "$tree" "$grown/srv/copy-$number"
done
tar --create --hard-dereference --sort=name --owner=root:0 --group=root:0 -C "$grown" . | "$@" >"$target"
find "$grown" | wc -l
du --summarize --count-links --apparent-size --block-size=1 "$grown"`

/**
 * Makes a large rootfs by copies of itself in /srv: with as many small files, links and programs to a
 * gigabyte as real systems. It is in the bench's folder.
 *
 * @param rootfs - A tar archive compressed with gzip.
 * @throws {InvocationFailedError} Also if xz is missing.
 */
export async function makeLargeArchive(
  rootfs: string,
  {bench, isQuick}: {bench: Bench; isQuick: boolean},
): Promise<LargeArchive> {
  if (findProgram('xz', bench.environment['PATH'] ?? '') === undefined) {
    throw new InvocationFailedError(['xz'], 127, 'xz is not installed')
  }
  const work = join(bench.folder, 'large-archive')
  const [tree, grown, path] = [join(work, 'tree'), join(work, 'grown'), join(bench.folder, 'large.tar.xz')]
  await makeFolder(work, bench)
  await makeFolder(tree, bench)
  try {
    await runAsUser(['tar', ...NO_DEVICES, '-xzf', rootfs, '-C', tree], bench)
    const used = await runAsUser(['du', '--summarize', '--apparent-size', '--block-size=1', tree], bench)
    const wanted = isQuick ? QUICK_BYTES : USUAL_BYTES
    const copies = Math.max(0, Math.ceil(wanted / Number.parseInt(used, 10)) - 1)
    const compressor = isQuick ? QUICK_XZ : USUAL_XZ
    const argv = ['sh', '-ec', PACK, 'sh', tree, grown, path, String(copies), ...compressor]
    const [entries = '', bytes = ''] = (await runAsUser(argv, bench)).split('\n')
    return {
      path,
      sizeBytes: (await stat(path)).size,
      unpackedBytes: Number.parseInt(bytes, 10),
      entries: Number(entries),
    }
  } finally {
    await runAsUser(['rm', '-rf', work], bench)
  }
}
