import {cp, readdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {packageRoot} from '../../src/host/paths.js'
import {PINNED} from '../../src/images/signature/keyring.js'
import type {Scope} from './cli.js'
import type {Signer} from './signer.js'
import {temporaryFolder} from './temporary-folder.js'

/** Those whose archive a test stands for. */
const KINDS = ['debian-archive', 'debian-security'] as const

/**
 * A copy of the package as users have it, with a test's key in place of those that are pinned for Debian's archive: no
 * setting of the program itself can change these.
 *
 * @returns Its `envs`.
 */
export async function packageWithPins(
  t: Scope,
  {fingerprint, publicKey}: Pick<Signer, 'fingerprint' | 'publicKey'>,
): Promise<string> {
  const root = await temporaryFolder(t)
  for (const part of ['bin', 'dist', 'templates', 'package.json', 'oclif.manifest.json'])
    await cp(join(packageRoot(), part), join(root, part), {recursive: true})
  const pins = KINDS.flatMap((kind) => PINNED[kind].fingerprints)
  for (const {parentPath, name} of await readdir(join(root, 'dist'), {
    recursive: true,
    withFileTypes: true,
  })) {
    if (!name.endsWith('.cjs')) continue
    const path = join(parentPath, name)
    const text = await readFile(path, 'utf8')
    const pinned = pins.reduce((changed, pin) => changed.replaceAll(pin, fingerprint), text)
    // Another build, whose code is not that of the one that it was copied from.
    await writeFile(
      path,
      pinned.replace(/^\/\/ [0-9a-f]{32}\n/, `// ${fingerprint.slice(0, 32).toLowerCase()}\n`),
    )
  }
  await writeFile(join(root, 'templates/keys', PINNED['debian-archive'].file), publicKey)
  return join(root, 'bin/envs')
}
