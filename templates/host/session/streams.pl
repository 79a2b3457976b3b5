# Regular files of the caller as standard input, output or error of a guest's command. Loaded by session.pl if there
# is one.
#
# A descriptor of a file gives more rights than its open mode: the file's owner, who the guest's root is on the host,
# can open it again by /proc/self/fd in any mode, and change its permissions. So a file for reading is opened through
# a read-only clone of its mount, and a file for writing is replaced by a pipe, which a process on the host reads.
#
# See open_tree(2), mount_setattr(2), proc_pid_fd(5), pipe(7).
use strict;

my $EINTR = 4;
my ($AT_FDCWD, $AT_EMPTY_PATH, $AT_SYMLINK_NOFOLLOW) = (-100, 0x1000, 0x100);
my ($OPEN_TREE_CLONE, $OPEN_TREE_CLOEXEC) = (1, 02000000);
my $READ_ONLY_ATTRIBUTES = 1 | 2 | 4;    # MOUNT_ATTR_RDONLY, NOSUID, NODEV
my ($nr_open_tree, $nr_mount_setattr) = (428, 442);
my ($F_GETFL, $F_SETFL, $F_SETPIPE_SZ) = (3, 4, 1031);
my ($O_RDONLY, $O_ACCMODE, $O_NONBLOCK) = (0, 3, 04000);
my ($SEEK_SET, $SEEK_CUR) = (0, 1);
my $PUMP_BYTES = 1 << 20;
my @opened;
1;

# Before leaving the host. Returns the handle for the command.
sub open_file_stream {
  my ($number) = @_;
  my $file = standard_stream($number);
  my $access = fcntl($file, $F_GETFL, 0) & $O_ACCMODE;
  return open_to_read($file) if $access == $O_RDONLY || $number == 0;
  # The two streams of ">file 2>&1" are one, or the order of their output would be lost.
  my @facts = ((stat $file)[0, 1], fcntl($file, $F_GETFL, 0));
  for my $other (@opened) { return {handle => $other->{handle}} if "@facts" eq $other->{facts} }
  my $stream = open_pipe($file, 'out');
  $stream->{facts} = "@facts";
  push @opened, $stream;
  return $stream;
}

sub open_to_read {
  my ($file) = @_;
  my $position = sysseek($file, 0, $SEEK_CUR);
  my $copy = clone_file($file) // return open_pipe($file, 'in');
  sysseek($copy, $position, $SEEK_SET);
  return {handle => $copy, original => $file};
}

# Opens the same file through a read-only mount; returns undef if that is impossible.
sub clone_file {
  my ($file) = @_;
  my $path = readlink('/proc/self/fd/' . fileno $file) // return;
  copy_host_mounts() or return;
  my $number = syscall($nr_open_tree, $AT_FDCWD, $path, $OPEN_TREE_CLONE | $OPEN_TREE_CLOEXEC | $AT_SYMLINK_NOFOLLOW);
  return if $number < 0;
  open(my $tree, '<&=', $number) or return;
  my ($empty, $attributes) = ("\0", pack('Q4', $READ_ONLY_ATTRIBUTES, 0, 0, 0));
  syscall($nr_mount_setattr, $number, $empty, $AT_EMPTY_PATH, $attributes, length $attributes) == 0 or return;
  # Another file may have that name by now.
  my $link = "/proc/self/fd/$number";
  return unless is_same($file, $link) && sysopen(my $copy, $link, $O_RDONLY);
  return $copy;
}

# Makes a pipe in place of a file, and a process that copies its bytes.
sub open_pipe {
  my ($file, $direction) = @_;
  my %stream = (file => $file, direction => $direction, pipe => 1);
  pipe(my $reader, my $writer) or give_up('stream');
  fcntl($writer, $F_SETPIPE_SZ, $PUMP_BYTES);
  @stream{qw(handle far_end)} = $direction eq 'in' ? ($reader, $writer) : ($writer, $reader);
  pipe($stream{session_ends}, $stream{session}) or give_up('stream');
  pipe($stream{answer}, $stream{answers}) or give_up('stream');
  return \%stream;
}

# Runs in a separate process, as long as a process of the guest writes. It holds no other stream of the caller open.
sub run_pump {
  my ($stream) = @_;
  setpgrp(0, 0);
  open(my $file, $stream->{direction} eq 'in' ? '<&' : '>&', $stream->{file}) or return;
  $stream->{file} = $file;
  close $_ for *STDIN, *STDOUT, *STDERR;
  $SIG{$_} = 'IGNORE' for qw(INT QUIT TERM HUP USR1 USR2 PIPE XFSZ TSTP);
  close $stream->{$_} for qw(handle session answer);
  $stream->{direction} eq 'in' ? pump_in($stream) : pump_out($stream);
}

# Bytes that the guest did not read stay unread in the file.
sub pump_in {
  my ($stream) = @_;
  while (my $got = sysread($stream->{file}, my $bytes, 65536)) {
    my $put = write_all($stream->{far_end}, $bytes);
    next if $put == $got;
    sysseek($stream->{file}, $put - $got, $SEEK_CUR);
    last;
  }
}

# Writes "drained" when the command has ended and its output is in the file: later writers are not waited for.
sub pump_out {
  my ($stream) = @_;
  my ($pipe, $session_ends) = @$stream{qw(far_end session_ends)};
  fcntl($pipe, $F_SETFL, $O_NONBLOCK);
  my ($is_over, $held) = (0, 0);
  while (1) {
    my $readable = '';
    vec($readable, fileno $pipe, 1) = 1;
    vec($readable, fileno $session_ends, 1) = 1 unless $is_over;
    # This process waits for later writers; the session does not.
    my $found = select($readable, undef, undef, $is_over && $stream->{answers} ? 0 : undef);
    if ($found == 0) { say_drained($stream) }
    next if $found <= 0;
    $is_over ||= vec($readable, fileno $session_ends, 1);
    my $got = sysread($pipe, my $bytes, $PUMP_BYTES);
    last if defined $got && $got == 0;
    if ($got && write_all($stream->{file}, $bytes) < $got) {
      syswrite $stream->{answers}, 'failed ' . ($! + 0) . "\n" if $stream->{answers};
      return;
    }
    next unless $is_over;
    # More than the pipe can have held.
    $held += $got // 0;
    say_drained($stream) if $held > $PUMP_BYTES;
  }
  say_drained($stream);
}

sub say_drained {
  my ($stream) = @_;
  my $answers = delete $stream->{answers} // return;
  syswrite $answers, "drained\n";
  close $answers;
}

# Returns how many bytes were written.
sub write_all {
  my ($to, $bytes) = @_;
  my $at = 0;
  while ($at < length $bytes) {
    my $put = syswrite($to, $bytes, length($bytes) - $at, $at);
    if    (defined $put)  { $at += $put }
    elsif ($! != $EINTR) { last }
  }
  return $at;
}

# After the command's end. Returns the failure, if any.
sub finish_stream {
  my ($stream) = @_;
  if ($stream->{original}) { sysseek($stream->{original}, sysseek($stream->{handle}, 0, $SEEK_CUR), $SEEK_SET) }
  return unless $stream->{pipe};
  close $stream->{$_} for qw(handle session session_ends answers);
  return if $stream->{direction} eq 'in';
  my $answer = '';
  while (my $got = sysread($stream->{answer}, $answer, 64, length $answer)) { }
  return if $answer eq "drained\n";
  $! = $answer =~ /^failed (\d+)$/ ? $1 : 5;
  print STDERR "envs: not all that the command wrote is in the file: $!\n";
  return 1;
}
