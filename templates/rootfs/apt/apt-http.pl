#!/usr/bin/perl
# Stands between APT and one of its methods: takes packages that another environment has downloaded from a shared folder.
#
# usage: apt-http.pl METHOD FOLDER
#   METHOD  the program that downloads; gets and sends all messages except for those answered here
#   FOLDER  packages by their SHA-256, which every environment of the user can write: it is not trusted.
#           A file is copied, and the copy is hashed, before APT gets it.
#
# Only perl-base may be installed, and of its modules only Fcntl is needed.
# See the file doc/method.dbk of APT's source ("APT Method Interface") for the messages.
use strict;
use warnings;
use Fcntl;

# select(2) reports a pipe as writable when it accepts this many bytes: such a write never blocks. See pipe(7),
# PIPE_BUF.
my $PIPE_BUF = 4096;
my $CHUNK_BYTES = 1024 * 1024;
# Reading pauses while more bytes wait to be written.
my $MOST_WAITING_BYTES = 4 * 1024 * 1024;
my $READ = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
my $CREATE = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;

my ($method, $folder) = @ARGV;
# Requests to the method, by address.
my %asked;
# An incomplete copy.
my $unfinished;

my ($to_method, $from_method, $child) = start_method();
my $apt = {from => \*STDIN, to => $to_method, in => '', out => '', on => \&from_apt};
my $answers = {from => $from_method, to => \*STDOUT, in => '', out => '', on => \&from_method};
$SIG{PIPE} = 'IGNORE';
# APT interrupts a method that it no longer needs. Ignored signals stay ignored, as under nohup(1).
for my $signal (qw(INT TERM HUP)) {
  $SIG{$signal} = passing_on($signal) if ($SIG{$signal} // '') ne 'IGNORE';
}
binmode $_ for *STDIN, *STDOUT, $to_method, $from_method;
relay();
leave();

sub start_method {
  pipe(my $their_input, my $our_output) or die "pipe: $!\n";
  pipe(my $our_input, my $their_output) or die "pipe: $!\n";
  my $pid = fork() // die "fork: $!\n";
  return ($our_output, $our_input, $pid) if $pid;
  open(STDIN, '<&', $their_input) or die "dup: $!\n";
  open(STDOUT, '>&', $their_output) or die "dup: $!\n";
  # exec closes the others.
  exec {$method} $method or die "$method: $!\n";
}

sub passing_on {
  my ($signal) = @_;
  return sub {
    kill $signal => $child;
    leave();
  };
}

# Ends with the method's status.
sub leave {
  unlink $unfinished if defined $unfinished;
  close $to_method if defined fileno $to_method;
  waitpid $child, 0;
  my $signal = $? & 127;
  exit $? >> 8 if $signal == 0;
  $SIG{INT} = $SIG{TERM} = $SIG{HUP} = 'DEFAULT';
  kill $signal => $$;
  exit 100;
}

# Until the method has ended. Bytes waiting in one direction never block the other.
sub relay {
  while (defined $answers->{from} || length $answers->{out}) {
    my ($reading, $writing) = ('', '');
    for my $way ($apt, $answers) {
      vec($reading, fileno $way->{from}, 1) = 1 if defined $way->{from} && length $way->{out} < $MOST_WAITING_BYTES;
      vec($writing, fileno $way->{to}, 1) = 1 if defined $way->{to} && length $way->{out};
    }
    next if select($reading, $writing, undef, undef) <= 0;
    for my $way ($apt, $answers) {
      take_in($way) if defined $way->{from} && vec($reading, fileno $way->{from}, 1);
      give_out($way) if defined $way->{to} && length $way->{out} && vec($writing, fileno $way->{to}, 1);
    }
    # The end of the requests tells the method to end.
    if (!defined $apt->{from} && defined $apt->{to} && $apt->{out} eq '') {
      close $apt->{to};
      undef $apt->{to};
    }
  }
}

# Messages are paragraphs; unknown ones are passed on unchanged.
sub take_in {
  my ($way) = @_;
  my $bytes = sysread $way->{from}, $way->{in}, 65_536, length $way->{in};
  return if !defined $bytes;
  if ($bytes == 0) {
    $way->{out} .= $way->{in};
    undef $way->{from};
    return;
  }
  while ($way->{in} =~ s/\A(.*?\n\n+)//s) {
    my $message = $1;
    $way->{out} .= $message if $way->{on}->($message);
  }
}

sub give_out {
  my ($way) = @_;
  my $bytes = syswrite $way->{to}, $way->{out}, $PIPE_BUF;
  if (defined $bytes) { substr($way->{out}, 0, $bytes) = '' }
  # A closed reader has ended; APT sends no message when it is killed.
  elsif ($way == $answers) { kill INT => $child; leave() }
  else { $way->{out} = ''; undef $way->{from}; }
}

# Returns true for messages to pass on.
sub from_apt {
  my ($message) = @_;
  return 1 if $message !~ /\A\n*600 /;
  my %wanted = (
    uri => field($message, 'URI'),
    file => field($message, 'Filename'),
    sha256 => lc field($message, 'Expected-SHA256'),
    size => field($message, 'Expected-Checksum-FileSize'),
  );
  return 1 if $wanted{file} !~ m{\A/.*\.deb\z} || $wanted{sha256} !~ /\A[0-9a-f]{64}\z/ || $wanted{size} !~ /\A[0-9]+\z/;
  if (serve(\%wanted)) {
    $answers->{out} .= "200 URI Start\nURI: $wanted{uri}\nSize: $wanted{size}\n\n";
    $answers->{out} .= "201 URI Done\nURI: $wanted{uri}\nFilename: $wanted{file}\nSize: $wanted{size}\nSHA256-Hash: $wanted{sha256}\n\n";
    return 0;
  }
  $asked{$wanted{uri}} = \%wanted;
  return 1;
}

sub from_method {
  my ($message) = @_;
  # Done, redirected or failed.
  if ($message =~ /\A\n*(201|103|400) /) {
    my $is_done = $1 == 201;
    my $wanted = delete $asked{field($message, 'URI')};
    keep($wanted) if $is_done && $wanted && lc field($message, 'SHA256-Hash') eq $wanted->{sha256} && field($message, 'Filename') eq $wanted->{file};
  }
  return 1;
}

sub field {
  my ($message, $name) = @_;
  return $message =~ /^\Q$name\E:[ \t]*(.*?)[ \t\r]*$/mi ? $1 : '';
}

# Puts the package where APT wants it; returns false if the right one is not available.
sub serve {
  my ($wanted) = @_;
  my $source = open_package("$folder/$wanted->{sha256}", $wanted->{size}) or return 0;
  # Next to its place, where there may be a partial file, which the method continues.
  my $copy = "$wanted->{file}.envs";
  unlink $copy;
  copy_to($source, $copy, $wanted->{size}) && digest($copy) eq $wanted->{sha256} && rename($copy, $wanted->{file}) or do {
    unlink $copy;
    undef $unfinished;
    return 0;
  };
  undef $unfinished;
  # The most recently used ones stay longest.
  utime undef, undef, $source;
  return 1;
}

# Leaves a copy for other environments. A full disk, or a missing folder, does not fail the download.
sub keep {
  my ($wanted) = @_;
  my $source = open_package($wanted->{file}, $wanted->{size}) or return;
  # Not by the process id, which another environment may have as well.
  my $copy = "$folder/.partial-" . join '', map { sprintf '%04x', rand 65_536 } 1 .. 4;
  copy_to($source, $copy, $wanted->{size}) && rename($copy, "$folder/$wanted->{sha256}") or defined $unfinished && unlink $copy;
  undef $unfinished;
}

# Opens neither a link, which leads elsewhere, nor a FIFO, which blocks.
sub open_package {
  my ($path, $size) = @_;
  sysopen(my $file, $path, $READ) or return;
  binmode $file;
  return -f $file && -s _ == $size ? $file : undef;
}

# Makes a new file with this many bytes of the source, and no more even if it grows meanwhile; returns true if all were
# copied.
sub copy_to {
  my ($source, $path, $left) = @_;
  sysopen(my $copy, $path, $CREATE, 0644) or return 0;
  $unfinished = $path;
  binmode $copy;
  while ($left > 0) {
    my $read = sysread $source, my $chunk, $left < $CHUNK_BYTES ? $left : $CHUNK_BYTES;
    return 0 if !$read;
    for (my $written = 0; $written < $read;) {
      $written += syswrite($copy, $chunk, $read - $written, $written) // return 0;
    }
    $left -= $read;
  }
  return close $copy;
}

sub digest {
  my ($path) = @_;
  no warnings 'exec';
  open(my $sum, '-|', 'sha256sum', '--', $path) or return '';
  my $line = <$sum> // '';
  close $sum or return '';
  # A backslash precedes lines whose names contain one.
  return $line =~ /\A\\?([0-9a-f]{64}) / ? $1 : '';
}
