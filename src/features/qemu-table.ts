import type {SandboxFeature} from './feature.js'

/**
 * Programs of another processor run by QEMU: a table of interpreters (binfmt_misc) of the environment's own. The kernel's
 * table is the whole machine's. Few environments need it, so its code is loaded for those alone.
 */
export const qemuTable: SandboxFeature = {
  id: 'qemu-table',
  // proot refuses such an environment.
  engines: ['bwrap', 'unshare', 'proot'],
  async apply(spec, {host, environment: {record, files}, engine}) {
    if (record.architecture === host.architecture) return spec
    const {emulationFor, withEmulation} = await import('./emulation.js')
    const {architecture, identity} = record
    const emulation = await emulationFor(host, architecture, {engine, identity})
    return withEmulation(spec, {host, emulation, folder: files.run})
  },
  async checks(host) {
    const {checkProcessors} = await import('../doctor/programs.js')
    return [await checkProcessors(host)]
  },
}
