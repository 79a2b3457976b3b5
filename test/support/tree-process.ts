import {readFileSync} from 'node:fs'
import {capture} from '../../src/host/process.js'
import type {TreeProcess} from '../../src/rootfs/worker/api.js'

const environment = {PATH: process.env['PATH']}

/** The worker as the caller. */
export const BARE: TreeProcess = {environment, prefix: []}

/** The worker as root of a user namespace that maps the caller's subuid range. */
export const MAPPED: TreeProcess = {
  environment,
  prefix: ['unshare', '--map-auto', '--map-root-user', '--'],
}

/** Why {@link MAPPED} can't be had here, or false. */
export async function missingMapping(): Promise<string | false> {
  const probe = await capture([...MAPPED.prefix, 'true'], {timeout: 10_000}).catch(() => undefined)
  return probe?.status !== 0 && 'this user has no subuid range, or user namespaces are closed to it'
}

/** Ids of processes whose command line holds the text. */
export async function processesWith(text: string): Promise<number[]> {
  const {stdout} = await capture(['ps', '-eo', 'pid=,args='])
  return stdout
    .split('\n')
    .filter((line) => line.includes(text))
    .map((line) => Number(line.trim().split(' ')[0]))
    .filter((pid) => pid !== process.pid && isWorker(pid))
}

function isWorker(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('worker')
  } catch {
    return false
  }
}
