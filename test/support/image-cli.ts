import {readdir} from 'node:fs/promises'
import {join} from 'node:path'
import type {TestContext} from 'node:test'
import {debArchitecture} from '../../src/host/machine/arch.js'
import type {Ran} from './cli.js'
import {type EnvironmentCli, environmentCli} from './environment-cli.js'
import {type ImageServers, publishUbuntuBase, startImageServers} from './image-servers.js'
import {type GroupRun, startGroup} from './process-group.js'

/** The built CLI with all its mirrors on a server of the test, and that server's key among the trusted ones. */
export type ImageCli = {
  readonly cli: EnvironmentCli
  readonly servers: ImageServers
  /** The folder of kept images. */
  readonly images: string
  envs(...argv: string[]): Promise<Ran>
  /** As if no server answered. */
  offline(...argv: string[]): Promise<Ran>
  /** Starts it and does not wait. */
  start(...argv: string[]): GroupRun
  /** Publishes a point release of `ubuntu:focal/base`. */
  publish(point: string, archive: Buffer): Promise<void>
  /** Path of a published archive on the server. */
  archivePath(point: string): string
  /** The requests for archives, as far as they came. */
  fetches(): ImageServers['server']['seen']
  /** All that is in {@link ImageCli.images}, hidden entries but for the locks included, sorted. */
  entries(): Promise<string[]>
}

const NOWHERE = 'http://127.0.0.1:1'
const RELEASE = 'ubuntu-base/releases/focal/release'

/**
 * @param archive - What 20.04.5 of `ubuntu:focal/base` holds; nothing is published without one.
 * @param variables - Beside those of the servers.
 */
export async function imageCli(
  t: TestContext,
  archive?: Buffer,
  variables: Readonly<Record<string, string>> = {},
): Promise<ImageCli> {
  const servers = await startImageServers(t)
  // What is published changes faster here than in a day.
  const cli = await environmentCli(t, {ENVS_IMAGE_CHECK: 'always', ...variables})
  const images = join(cli.data, 'images')
  const file = (point: string) => `ubuntu-base-${point}-base-${debArchitecture(process.arch)}.tar.gz`
  const publish = (point: string, body: Buffer) =>
    publishUbuntuBase(servers, {suite: 'focal', version: '20.04', files: {[file(point)]: body}})
  if (archive !== undefined) await publish('20.04.5', archive)
  const offline = {
    ...servers.variables,
    ENVS_MIRROR_UBUNTU_BASE: NOWHERE,
    ENVS_MIRROR_UBUNTU_CLOUD: NOWHERE,
    ENVS_MIRROR_LXC: NOWHERE,
    ENVS_MIRROR_UBUNTU_ARCHIVE: NOWHERE,
  }
  return {
    cli,
    servers,
    images,
    envs: (...argv) => cli.runWith({env: servers.variables}, ...argv),
    offline: (...argv) => cli.runWith({env: offline}, ...argv),
    start: (...argv) => startGroup(cli, argv, servers.variables),
    publish,
    archivePath: (point) => `${RELEASE}/${file(point)}`,
    fetches: () => servers.server.seen.filter(({target}) => target?.endsWith('.tar.gz')),
    entries: async () => (await readdir(images).catch(() => [])).filter((name) => name !== '.locks').sort(),
  }
}
