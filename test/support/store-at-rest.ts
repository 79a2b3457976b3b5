import assert from 'node:assert/strict'
import type {TestContext} from 'node:test'
import {type EnvironmentCli, environmentCli} from './environment-cli.js'
import {tinyRootfs} from './tiny-rootfs.js'

/** A store with an emulated environment of a few files, in which nothing can run. */
export async function givenEnvironment(
  t: TestContext,
  name: string,
  {
    storage = 'overlay',
    variables = {},
  }: {storage?: 'overlay' | 'directory'; variables?: Readonly<Record<string, string>>} = {},
): Promise<EnvironmentCli> {
  const cli = await environmentCli(t, variables)
  await done(cli, ...(await creation(t, name)), '--storage', storage)
  return cli
}

/** Words that create one, of an image of its own. */
export async function creation(t: TestContext, name: string): Promise<string[]> {
  const {path} = await tinyRootfs(t, {files: 5})
  return ['create', path, '-n', name, '--identity', 'emulated', '-q']
}

export async function done(cli: Pick<EnvironmentCli, 'run'>, ...argv: string[]): Promise<void> {
  const {status, stderr} = await cli.run(...argv)
  assert.equal(status, 0, stderr)
}
