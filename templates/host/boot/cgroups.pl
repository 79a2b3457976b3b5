# A make-believe cgroup hierarchy for a guest whose host delegates no control groups, by FUSE. Loaded by boot.pl.
#
#   my $cgroups = Cgroups->new($fuse, {pid => ..., folder => ..., prlimit => ..., memberships => ...});
#     $fuse    /dev/fuse, mounted by a process of the outer pid namespace: requests bear ids that this process can use
#     pid      of the guest's first process, whose own program has not started: what is opened here is what was mounted
#     folder   the mount point in the guest
#     prlimit  system call number of prlimit64
#     memberships  what shows processes their group (memberships.pl); may be left out
#   $cgroups->answer     answers one request; false when it is unmounted
#   $cgroups->patience   seconds until "tell" is due
#   $cgroups->tell       lets systemd know of groups whose last process has ended, and new processes of their group, once a second at
#                        most
#   $cgroups->catch_up   shows all processes their group
#
# The mount point is a group of the host's cgroup2, which the guest can't write to: systemd looks at the file system of the hierarchy's
# top, and finds one that it knows. Nothing is limited and nothing accounted: that takes the kernel.
# The group of a process is recorded on the process: as its soft limit of file locks (RLIMIT_LOCKS), which no kernel since 2.4 looks at.
# Processes inherit it, daemons included, and any process may read it; the guest can change only its own.
#
# Requests are the kernel's, for calls of the guest's processes. See fuse(4), linux/fuse.h (version 7.31), getrlimit(2).
package Cgroups;
use v5.12;
use warnings;

my ($EPERM, $ENOENT, $ESRCH, $EINTR, $EAGAIN, $EACCES, $EBUSY, $EEXIST, $EINVAL, $ENOSPC, $ENAMETOOLONG, $ENOSYS, $ENOTEMPTY) =
  (1, 2, 3, 4, 11, 13, 16, 17, 22, 28, 36, 38, 39);
my ($DIRECTORY, $FILE, $WRITE_ONLY) = (0040755, 0100644, 0100200);
my ($O_PATH, $FOPEN_DIRECT_IO, $FOPEN_NOFLUSH) = (010000000, 1, 1 << 5);
my ($FATTR_MODE, $FATTR_UID, $FATTR_GID) = (1, 2, 4);
my ($HEADER_BYTES, $MAX_REQUEST_BYTES, $MAX_WRITE_BYTES) = (40, 1 << 18, 65536);
my ($RLIMIT_LOCKS, $MARK) = (10, 1_000_000_000);
# systemd makes some hundred; a guest may make as many as it likes, and each takes memory of the host.
my ($MAX_GROUPS, $MAX_NAME_BYTES, $TELL_SECONDS) = (16_384, 255, 1);
my %FILES = ('cgroup.procs' => $FILE, 'cgroup.threads' => $FILE, 'cgroup.controllers' => $FILE, 'cgroup.subtree_control' => $FILE,
  'cgroup.events' => $FILE, 'cgroup.type' => $FILE, 'cgroup.kill' => $WRITE_ONLY);
my $ROOT = 1;

# Opcodes that get no answer: forget, interrupt, batched forget. Of those without a handler is the flush at a close: unknown, it is
# asked for once, and no close waits for an answer.
my %is_unanswered = map { $_ => 1 } 2, 36, 42;
my %handler = (
  1 => \&look_up, 3 => \&attributes, 4 => \&set_attributes, 9 => \&make_group, 10 => sub { -$EPERM }, 11 => \&remove_group,
  14 => \&open_node, 15 => \&read_file, 16 => \&write_file, 17 => sub { pack 'Q5 L4 x24', (0) x 5, 4096, $MAX_NAME_BYTES, 4096, 0 },
  18 => sub { '' }, 20 => sub { '' }, 26 => \&init, 27 => \&open_node, 28 => \&read_folder, 29 => sub { '' }, 30 => sub { '' },
);
1;

sub new {
  my ($class, $fuse, $guest) = @_;
  my $self = bless {fuse => $fuse, prlimit => $guest->{prlimit}, memberships => $guest->{memberships},
    next => $ROOT + 1, told => 0, groups => 1}, $class;
  $self->{nodes} = {$ROOT => {id => $ROOT, name => '', up => $ROOT, children => {}, mode => $DIRECTORY, uid => 0, gid => 0}};
  $self->add_files($ROOT);
  my $place = "/proc/$guest->{pid}/root";
  opendir($self->{proc}, "$place/proc") or main::fail("$place/proc");
  # The folder above the mount point, which the kernel answers for: Perl looks at what it opens, and this file system's own top would
  # have to be answered for meanwhile.
  my ($above, $name) = $guest->{folder} =~ m{^(.*)/([^/]+)\z};
  sysopen($self->{above}, "$place$above", $O_PATH) or main::fail("$place$above");
  $self->{name} = $name;
  $self->{namespace} = readlink "/proc/$guest->{pid}/ns/pid";
  # Which of the ids of a process is that in the guest: it may have others, in namespaces that the guest made.
  $self->{level} = () = ids_of($guest->{pid});
  $self->{level}--;
  return $self;
}

sub answer {
  my ($self) = @_;
  my $length = sysread($self->{fuse}, my $request, $MAX_REQUEST_BYTES);
  # ENOENT: the request was interrupted before it was read.
  return scalar grep { $! == $_ } $EINTR, $EAGAIN, $ENOENT unless defined $length;
  return 0 unless $length;
  return 1 if $length < $HEADER_BYTES;
  my (undef, $opcode, $unique, $id, $uid, undef, $pid) = unpack 'L2 Q2 L3', $request;
  return 1 if $is_unanswered{$opcode};
  my $handler = $handler{$opcode};
  my $reply = !$handler ? -$ENOSYS : $opcode != 26 && !$self->{nodes}{$id} ? -$ENOENT
    : $self->$handler($id, substr($request, $HEADER_BYTES), {pid => $pid, uid => $uid});
  # A reference marks bytes; a number is an errno.
  my ($error, $bytes) = ref $reply ? (0, $$reply) : $reply =~ /^-\d+\z/ ? ($reply, '') : (0, $reply);
  syswrite $self->{fuse}, pack('L l Q', 16 + length $bytes, $error, $unique) . $bytes;
  return 1;
}

sub patience {
  my ($self) = @_;
  my $left = $self->{told} + $TELL_SECONDS - time;
  return $left > 0 ? $left : 0.01;
}

sub catch_up {
  my ($self) = @_;
  $self->show_groups($self->all_members);
}

# systemd waits for a change of cgroup.events where a service has no main process. A write is one; a child writes, because this process
# has to answer it.
sub tell {
  my ($self) = @_;
  return if time < $self->{told} + $TELL_SECONDS;
  $self->{told} = time;
  my @members = $self->all_members;
  $self->show_groups(@members);
  my $populated = $self->with_parents(@members);
  my @emptied;
  for my $node (grep { $_->{children} && $_->{id} != $ROOT } values %{$self->{nodes}}) {
    my $is_populated = $populated->{$node->{id}} ? 1 : 0;
    push @emptied, $self->path_of($node) if $node->{was_populated} && !$is_populated;
    $node->{was_populated} = $is_populated;
  }
  return unless @emptied;
  my $child = fork() // return;
  return if $child;
  # Held here, it would keep requests waiting for an answer when this program's parent dies.
  close $self->{fuse};
  for my $path (@emptied) {
    open(my $file, '>', '/proc/self/fd/' . fileno($self->{above}) . "/$self->{name}$path/cgroup.events") or next;
    syswrite $file, "\n";
  }
  kill KILL => $$;
}

sub path_of {
  my ($self, $node) = @_;
  return $node->{id} == $ROOT ? '' : $self->path_of($self->{nodes}{$node->{up}}) . "/$node->{name}";
}

sub init {
  my ($self, undef, $data) = @_;
  return -$EINVAL if length $data < 12;
  my (undef, undef, $readahead) = unpack 'L3', $data;
  return \pack 'L4 S2 L2 S2 L2 x24', 7, 31, $readahead, 0, 12, 9, $MAX_WRITE_BYTES, 1, 16, 0, 0, 0;
}

sub add_node {
  my ($self, $up, $name, $mode) = @_;
  my $id = $self->{next}++;
  my $owner = $self->{nodes}{$up};
  $self->{nodes}{$id} = {id => $id, name => $name, up => $up, mode => $mode, uid => $owner->{uid}, gid => $owner->{gid},
    ($mode == $DIRECTORY ? (children => {}) : ())};
  $owner->{children}{$name} = $id;
  return $id;
}

sub add_files {
  my ($self, $id) = @_;
  $self->add_node($id, $_, $FILES{$_}) for sort keys %FILES;
}

sub attribute_bytes {
  my ($node) = @_;
  return pack 'Q6 L10', $node->{id}, (0) x 8, $node->{mode}, 1, $node->{uid}, $node->{gid}, 0, 4096, 0;
}

sub attributes {
  my ($self, $id) = @_;
  return \(pack('Q L2', 0, 0, 0) . attribute_bytes($self->{nodes}{$id}));
}

sub entry {
  my ($self, $id) = @_;
  return \(pack('Q4 L2', $id, 1, 0, 0, 0, 0) . attribute_bytes($self->{nodes}{$id}));
}

sub name_in {
  my ($text) = @_;
  return $text =~ s/\0.*//sr;
}

sub look_up {
  my ($self, $id, $data) = @_;
  my $found = ($self->{nodes}{$id}{children} // {})->{name_in($data)};
  return $found ? $self->entry($found) : -$ENOENT;
}

# Owners are the kernel's to check, by "default_permissions". The kind of a node does not change.
sub set_attributes {
  my ($self, $id, $data) = @_;
  return -$EINVAL if length $data < 84;
  my $node = $self->{nodes}{$id};
  my ($valid) = unpack 'L', $data;
  my ($mode, $uid, $gid) = (unpack 'L2 Q6 L7', $data)[11, 13, 14];
  $node->{mode} = ($node->{mode} & ~07777) | ($mode & 07777) if $valid & $FATTR_MODE;
  $node->{uid} = $uid if $valid & $FATTR_UID;
  $node->{gid} = $gid if $valid & $FATTR_GID;
  return $self->attributes($id);
}

sub make_group {
  my ($self, $id, $data, $caller) = @_;
  return -$EINVAL if length $data < 9 || !$self->{nodes}{$id}{children};
  my $name = name_in(substr $data, 8);
  return -$ENAMETOOLONG if length $name > $MAX_NAME_BYTES;
  return -$EEXIST if $self->{nodes}{$id}{children}{$name};
  return -$ENOSPC if $self->{groups} >= $MAX_GROUPS;
  $self->{groups}++;
  my $new = $self->add_node($id, $name, $DIRECTORY);
  $self->{nodes}{$new}{uid} = $caller->{uid};
  $self->add_files($new);
  return $self->entry($new);
}

sub remove_group {
  my ($self, $id, $data) = @_;
  my $name = name_in($data);
  my $nodes = $self->{nodes};
  my $gone = ($nodes->{$id}{children} // {})->{$name} // return -$ENOENT;
  my $children = $nodes->{$gone}{children} // return -$EPERM;
  return -$ENOTEMPTY if grep { $nodes->{$_}{children} } values %$children;
  return -$EBUSY if $self->members($gone);
  delete @$nodes{values %$children, $gone};
  delete $nodes->{$id}{children}{$name};
  $self->{groups}--;
  $self->{memberships}->forget($gone) if $self->{memberships};
  return '';
}

# Without a flush even at the first close, which may be that of an exec: its process is locked against readers meanwhile. Linux 5.18.
sub open_node { return \pack 'Q L2', 0, $FOPEN_DIRECT_IO | $FOPEN_NOFLUSH, 0 }

sub read_file {
  my ($self, $id, $data) = @_;
  return -$EINVAL if length $data < 20;
  my (undef, $offset, $size) = unpack 'Q2 L', $data;
  my ($name, $group) = @{$self->{nodes}{$id}}{qw(name up)};
  my $text = $name =~ /^cgroup\.(?:procs|threads)$/ ? join('', map { "$_\n" } $self->members($group))
    : $name eq 'cgroup.events' ? 'populated ' . ($self->populated_groups->{$group} ? 1 : 0) . "\nfrozen 0\n"
    : $name eq 'cgroup.type' ? "domain\n" : "\n";
  return \($offset >= length $text ? '' : substr $text, $offset, $size);
}

sub write_file {
  my ($self, $id, $data, $caller) = @_;
  return -$EINVAL if length $data < 40;
  my ($size) = (unpack 'Q2 L', $data)[2];
  my $text = substr $data, 40, $size;
  my ($name, $group) = @{$self->{nodes}{$id}}{qw(name up)};
  if ($name =~ /^cgroup\.(?:procs|threads)$/) {
    my ($wanted) = $text =~ /^\s*(\d{1,10})\s*$/ or return -$EINVAL;
    my $error = $self->attach($wanted, $group, $caller);
    return $error if $error;
  }
  if ($name eq 'cgroup.kill' && $text =~ /^1/) {
    kill KILL => grep { defined } map { $self->host_id($_) } $self->members_below($group);
  }
  return \pack 'LL', $size, 0;
}

# A user that a group was delegated to moves processes below what is the user's, as with the kernel's groups.
sub attach {
  my ($self, $wanted, $group, $caller) = @_;
  my $process = $wanted == 0 || $self->guest_id($caller->{pid}) == $wanted ? $caller->{pid} : $self->host_id($wanted);
  return -$ESRCH unless $process;
  if ($caller->{uid} != 0) {
    my $common = $self->common_ancestor($group, $self->group_of($process));
    return -$EACCES unless $self->{nodes}{$self->{nodes}{$common}{children}{'cgroup.procs'}}{uid} == $caller->{uid};
  }
  return -$ESRCH unless $self->mark($process, $group);
  $self->show_groups([$self->guest_id($process), $group]);
  return 0;
}

# Processes have the mark of their parent, but only those that were moved have a file of their own from the start.
sub show_groups {
  my ($self, @members) = @_;
  return unless $self->{memberships};
  for my $member (grep { $_->[0] } @members) {
    my ($process, $group) = @$member;
    $self->{memberships}->show($process, $group, "/$self->{name}" . $self->path_of($self->{nodes}{$group}));
  }
}

sub common_ancestor {
  my ($self, $one, $other) = @_;
  my %is_above = map { $_ => 1 } $self->lineage($one);
  my ($common) = grep { $is_above{$_} } $self->lineage($other);
  return $common;
}

sub lineage {
  my ($self, $id) = @_;
  my @ids = ($id);
  push @ids, $id = $self->{nodes}{$id}{up} while $id != $ROOT;
  return @ids;
}

sub group_of {
  my ($self, $process) = @_;
  open(my $file, '<', "/proc/$process/limits") or return $ROOT;
  sysread $file, my $text, 4096;
  return group_in($text // '', $self->{nodes});
}

sub read_folder {
  my ($self, $id, $data) = @_;
  return -$EINVAL if length $data < 20 || !$self->{nodes}{$id}{children};
  my (undef, $offset, $size) = unpack 'Q2 L', $data;
  my $children = $self->{nodes}{$id}{children};
  my @names = ('.', '..', sort keys %$children);
  my $out = '';
  for my $index ($offset .. $#names) {
    my $child = $children->{$names[$index]} // $id;
    my $item = pack('Q2 L2', $child, $index + 1, length $names[$index], $self->{nodes}{$child}{children} ? 4 : 8) . $names[$index];
    $item .= "\0" x (-length($item) % 8);
    last if length($out) + length($item) > $size;
    $out .= $item;
  }
  return \$out;
}

# The soft limit alone: the hard one can't be raised again.
sub mark {
  my ($self, $process, $group) = @_;
  my $limits = "\0" x 16;
  syscall($self->{prlimit}, $process + 0, $RLIMIT_LOCKS, 0, $limits) == 0 or return 0;
  my (undef, $hard) = unpack 'Q2', $limits;
  my $wanted = pack 'Q2', $MARK + $group, $hard;
  return syscall($self->{prlimit}, $process + 0, $RLIMIT_LOCKS, $wanted, 0) == 0;
}

# A mark that stands for no group is the guest's own doing.
sub group_in {
  my ($limits, $nodes) = @_;
  my ($soft) = $limits =~ /^Max file locks +(\d+) /m or return $ROOT;
  my $group = $soft - $MARK;
  return $nodes->{$group} && $nodes->{$group}{children} ? $group : $ROOT;
}

# Returns pairs of a process, with its id in the guest, and its group. A process that has ended belongs to none, as with the kernel's:
# else a unit would wait for a zombie that nobody reaps.
sub all_members {
  my ($self) = @_;
  my $proc = '/proc/self/fd/' . fileno $self->{proc};
  rewinddir $self->{proc};
  my @found;
  for my $process (grep { /^\d+$/ } readdir $self->{proc}) {
    open(my $file, '<', "$proc/$process/limits") or next;
    sysread $file, my $text, 4096;
    next if !length($text // '') || has_ended("$proc/$process");
    push @found, [$process, group_in($text, $self->{nodes})];
  }
  return @found;
}

sub members {
  my ($self, $group) = @_;
  return sort { $a <=> $b } map { $_->[0] } grep { $_->[1] == $group } $self->all_members;
}

sub members_below {
  my ($self, $group) = @_;
  return map { $_->[0] } grep { my $own = $_->[1]; grep { $_ == $group } $self->lineage($own) } $self->all_members;
}

# Returns the groups that have a process, in them or below.
sub populated_groups {
  my ($self) = @_;
  return $self->with_parents($self->all_members);
}

sub with_parents {
  my ($self, @members) = @_;
  my %groups = map { $_->[1] => 1 } @members;
  return {map { $_ => 1 } map { $self->lineage($_) } keys %groups};
}

# Not from /proc/PID/stat, which waits for the end of an execve(2) of the process; that may wait for an answer to its close of a file
# of this file system.
sub has_ended {
  my ($folder) = @_;
  open(my $file, '<', "$folder/status") or return 1;
  return !grep { /^State:\s+[^ZX]/ } <$file>;
}

# Requests bear the host's ids of processes, and what is written bears the guest's.
sub guest_id {
  my ($self, $process) = @_;
  return (ids_of($process))[$self->{level}] // 0;
}

sub ids_of {
  my ($process) = @_;
  open(my $file, '<', "/proc/$process/status") or return;
  my ($line) = grep { /^NSpid:/ } <$file>;
  return ($line // '') =~ /(\d+)/g;
}

sub host_id {
  my ($self, $wanted) = @_;
  opendir(my $all, '/proc') or return;
  for my $process (grep { /^\d+$/ } readdir $all) {
    return $process if $self->guest_id($process) == $wanted && (readlink("/proc/$process/ns/pid") // '') eq $self->{namespace};
  }
  return;
}
