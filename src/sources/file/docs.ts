/** The words of the file type's page and its examples. */
import type { Example } from '../../source.ts'

export const example: Example = {
  name: 'file',
  title: 'A CSV file arrives in a directory',
  yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: file
spec:
  replicas: 2
  file:
    arrived:
      eventType: CREATE
      watchPathConfig:
        directory: /tmp/vedette-inbox
        pathRegexp: \\.csv$
      metadata:
        team: billing
`,
}

export const pollingExample: Example = {
  name: 'file-polling',
  title: 'One file on shared storage is written to, found by polling',
  yaml: `apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: file-polling
spec:
  replicas: 2
  file:
    report:
      eventType: WRITE
      polling: true
      watchPathConfig:
        directory: /tmp/vedette-reports
        path: report.txt
`,
}

export const docs = `
One directory is watched, not what is in its sub-directories. Each entry publishes one kind of event (\`eventType\`);
for several kinds write several entries. The event names the entry, not its content. Files that are there at the very
first start are not reported.

Vedette compares states: the kernel's notifications say when and where to look, and the difference between two looks
gives the events. What comes and goes between two looks (20 ms after the first notification; 100 ms when polling; longer
in directories with very many entries) is not seen, and several writes in a row are one WRITE.

### What happens when

| in the directory | with notifications | with \`polling: true\` |
|---|---|---|
| an empty file or a directory is made | CREATE | CREATE |
| a file is made and written (\`echo a > x\`) | CREATE, WRITE | CREATE, WRITE |
| a file is written | WRITE | WRITE |
| a file is moved in from elsewhere | CREATE | CREATE, WRITE unless empty |
| an entry is renamed | RENAME of the old name, CREATE of the new | RENAME of the old name |
| a file is replaced by renaming another over it | CREATE of its name | WRITE of its name |
| an entry is deleted | REMOVE | REMOVE |
| an entry is moved to another directory | RENAME | REMOVE |
| permissions change | CHMOD | CHMOD |
| owner, number of links or extended attributes change | CHMOD | nothing |
| \`touch\` on an existing file | WRITE and CHMOD | WRITE |
| any entry comes or goes | nothing more | also WRITE of the directory's own name |
| the directory itself is gone | an error in status until it is back; then REMOVE for what is missing, CREATE for what is new | the same |
| nobody served for a while | at the next start the difference, each entry's final state once; a new file that is not empty is CREATE and WRITE | likewise |

\`name\` is the full path; with \`polling: true\` the entry's name alone. Names that are not UTF-8 are told with U+FFFD in
place of what cannot be read. Symbolic links are entries of their own and are not followed, but \`directory\` may be one.

### Replicas

All replicas must see the same directory, so in Kubernetes it must be on shared storage. One replica serves. What it has
told is kept on the bus together with the events, so its successor tells what changed in between, removals too, once.
Inode numbers and times belong to that memory: a directory that is copied to another disk counts as all new.

### File systems without notifications

On NFS, SMB, FUSE, 9p and other network file systems the kernel does not tell what other machines change. Vedette sees
that the directory is on one and lists it every 100 ms instead, with the same events and names as with notifications.
It does the same when the machine has no notification left to give. Listing takes at most a third of the time, however
many entries there are. Also with notifications everything is looked at every 5 seconds, in case one was lost.

### What differs from Argo Events

- \`directory\` works with and without a trailing slash; there, \`path\` never matches without it.
- Changes while nobody serves are told afterwards; there, they are lost.
- A missing directory is waited for and watched again when it is back; there, the watch ends silently.
- Several writes shortly after one another are one WRITE; there, each is one.
- A file that is moved to another directory is RENAME as there, if this was seen as it happened and at most 1,000 files
  that \`path\` or \`pathRegexp\` means are there; else REMOVE. To tell, entries for RENAME and REMOVE hold those files open.
- \`touch\` gives WRITE besides CHMOD, because times alone do not show the difference.
- With polling, a new file that is not empty gives WRITE after CREATE; there, only if it was still being written.
- With polling, a change of size counts as WRITE even when the time of the last write stays the same.
- \`MOVE\` never happens within one directory, there as here; \`validate\` says so.
`
