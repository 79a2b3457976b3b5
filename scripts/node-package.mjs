// The official build of Node.js for Linux, as a package of the registry that npm is configured for.
import {spawnSync} from 'node:child_process'
import {createHash} from 'node:crypto'
import {readFileSync} from 'node:fs'
import {join} from 'node:path'

/** The newest long-term version; it needs glibc 2.28, as all later ones do. */
export const NODE_VERSION = '24.21.0'

/**
 * Of the package for each processor, from `npm view node-linux-ARCH@VERSION dist.integrity`: the registry's
 * answer on one day.
 */
const NODE_DIGESTS = {
  arm64: 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
  x64: 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
}

/** @returns Path of the package, below `folder`. @throws {Error} If it is not the pinned one. */
export function packNode(folder) {
  const archive = packPackage([`node-linux-${process.arch}@${NODE_VERSION}`], {cwd: folder, folder})
  const digest = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`
  if (digest !== NODE_DIGESTS[process.arch])
    throw new Error(
      `Node.js ${NODE_VERSION} for ${process.arch} has the digest ${digest}, which is not the pinned one`,
    )
  return archive
}

/** @returns Path of the packed package; npm has verified it by the registry's digest. */
export function packPackage(words, {cwd, folder}) {
  const argv = ['pack', ...words, '--json', '--ignore-scripts', '--pack-destination', folder]
  const stdio = ['ignore', 'pipe', 'ignore']
  const {status, signal, error, stdout} = spawnSync('npm', argv, {cwd, stdio, encoding: 'utf8'})
  if (status !== 0) throw new Error(`npm pack ended with ${error?.message ?? status ?? signal}`)
  const [{filename}] = JSON.parse(stdout)
  return join(folder, filename)
}
