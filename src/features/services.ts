import {cp, rm} from 'node:fs/promises'
import {join} from 'node:path'
import {namedArchitecture, systemCalls} from '../host/machine/arch.js'
import {templatePath} from '../host/paths.js'
import {SERVICES_MOUNT_POINT} from '../sandbox/mounts.js'
import {type EnvironmentRecord, initOf} from '../store/record.js'
import type {SandboxFeature} from './feature.js'
import {makeMountPoint} from './package-cache.js'

/** Folder of the supervisor in the environment's run folder, and its mount point in the folder at /run/envs. */
const FOLDER = 'services'

/**
 * Runs templates/guest/services/init.pl as pid 1 of an environment with the setting `init=services`.
 *
 * The guest's perl runs it, from a copy that is made for each start: with some engines the guest's root can undo the read-only
 * mount, and must not change what other environments run.
 */
export const services: SandboxFeature = {
  id: 'services',
  engines: ['bwrap', 'unshare'],
  async beforeStart({environment: {record, files}}) {
    if (initOf(record) !== 'services') return
    const folder = join(files.run, FOLDER)
    await rm(folder, {recursive: true, force: true})
    await cp(templatePath('guest/services'), folder, {recursive: true})
    await makeMountPoint(join(files.resolver, FOLDER))
  },
  apply(spec, {host, environment: {record, files}}) {
    if (initOf(record) !== 'services') return spec
    const from = join(files.run, FOLDER)
    return {
      ...spec,
      mounts: [...spec.mounts, {kind: 'bind', from, at: SERVICES_MOUNT_POINT, access: 'ro'}],
      init: [
        '/usr/bin/perl',
        `${SERVICES_MOUNT_POINT}/init.pl`,
        String(limitCall(host.architecture, record)),
      ],
    }
  },
}

/** The guest's perl makes the system call, so the number is that of the guest's processor. */
function limitCall(host: Parameters<typeof systemCalls>[0], {architecture}: EnvironmentRecord): number {
  return systemCalls(namedArchitecture(architecture) ?? host).prlimit64
}
