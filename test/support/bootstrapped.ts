import assert from 'node:assert/strict'
import {after} from 'node:test'
import {type Ran, type RunOptions, type SandboxedCli, sandboxedCli} from './cli.js'

/** A release of Debian made of its packages from the host's own mirror, as an environment of its name. */
export type Bootstrapped = {
  readonly cli: SandboxedCli
  /** `envs run SUITE -- sh -c SCRIPT` */
  sh(script: string): Promise<Ran>
  envs(options: RunOptions, ...argv: string[]): Promise<Ran>
}

/** Prints what dpkg finds wrong, and packages that are not installed whole. */
export const NOT_AS_INSTALLED = "dpkg --audit; dpkg --verify; dpkg -l | tail -n +6 | grep -v '^ii '"

/** Made when the first test of a file asks, gone after the last. Call it outside a test. */
export function sharedBootstrap(suite: string): () => Promise<Bootstrapped> {
  const tidyUps: (() => Promise<void>)[] = []
  let made: Promise<Bootstrapped> | undefined
  after(async () => {
    const cli = (await made?.catch(() => undefined))?.cli
    await cli?.run('rm', '--force', suite)
    await cli?.run('prune', '--yes', '--older-than', '0')
    for (const tidyUp of tidyUps) await tidyUp()
  })
  const make = async (): Promise<Bootstrapped> => {
    const cli = await sandboxedCli({after: (tidyUp) => void tidyUps.push(tidyUp)})
    const created = await cli.run('create', suite, '--quiet')
    assert.equal(created.status, 0, created.stderr)
    return {
      cli,
      sh: (script) => cli.run('run', suite, '--', 'sh', '-c', script),
      envs: (options, ...argv) => cli.runWith(options, ...argv),
    }
  }
  return () => {
    made ??= make()
    return made
  }
}
