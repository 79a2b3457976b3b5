import type {Host} from '../../host/host.js'
import {type ContainerImage, originOf} from '../../images/oci/container-image.js'
import type {ImageEvidence} from '../../images/opened-image.js'
import type {EnvironmentRecord, IdMap} from '../../store/record.js'
import type {Unpacked} from './unpack.js'

/** Returns the record of a new environment. */
export function newRecord(
  {report, evidence}: Unpacked,
  {now}: Pick<Host, 'now'>,
  {
    identity,
    source,
    storage,
    architecture,
    settings,
    ids,
    container,
  }: Pick<EnvironmentRecord, 'identity' | 'storage' | 'architecture' | 'settings'> & {
    source: string
    ids: IdMap | undefined
    container: ContainerImage | undefined
  },
): EnvironmentRecord {
  return {
    createdAt: now(),
    image: {
      source,
      ...publication(evidence),
      sha256: evidence.sha256,
      sizeBytes: evidence.sizeBytes,
      compression: report.compression,
      ...(container === undefined ? {} : {container: originOf(container)}),
    },
    identity,
    storage,
    architecture,
    extraction: {
      entries: report.entries,
      sizeBytes: report.totalBytes,
      skippedDevices: report.skippedDevices,
      squashedOwners: report.squashedOwners.count,
      fileCapabilities: report.fileCapabilities,
    },
    settings,
    ...(ids === undefined ? {} : {ids}),
  }
}

function publication(
  evidence: ImageEvidence,
): Pick<EnvironmentRecord['image'], 'name' | 'version' | 'trust' | 'signer' | 'signedAt' | 'archive'> {
  if (evidence.publication !== undefined) return {trust: evidence.trust, ...evidence.publication}
  return {name: null, version: null, trust: evidence.trust, signer: null, signedAt: null, archive: null}
}
