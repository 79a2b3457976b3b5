# The small languages in unit files: words with quotes, spans of time, truth values, specifiers. See systemd.syntax(7),
# systemd.time(7) and "Specifiers" in systemd.unit(5).
package Text;
use v5.12;
use warnings;
use POSIX ();

my %SECONDS = (
  (map { $_ => 1e-6 } qw(us usec)), (map { $_ => 1e-3 } qw(ms msec)), (map { $_ => 1 } '', qw(s sec second seconds)),
  (map { $_ => 60 } qw(m min minute minutes)), (map { $_ => 3600 } qw(h hr hour hours)), (map { $_ => 86_400 } qw(d day days)),
  (map { $_ => 604_800 } qw(w week weeks)), (map { $_ => 2_629_800 } qw(M month months)),
  (map { $_ => 31_557_600 } qw(y year years)),
);
my %ESCAPED = (a => "\a", b => "\b", f => "\f", n => "\n", r => "\r", t => "\t", v => "\013", s => ' ', map { $_ => $_ } '\\', '"', "'");

# Returns a span in seconds; undef without a limit, and for text that is no span.
sub seconds {
  my ($text) = @_;
  return if !defined $text || $text eq 'infinity';
  my $sum = 0;
  my $rest = $text;
  while ($rest =~ s/^\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([A-Za-z]*)//) {
    my $unit = $SECONDS{$2} // return;
    $sum += $1 * $unit;
  }
  return $rest =~ /^\s*$/ ? $sum : undef;
}

sub is_true {
  my ($text) = @_;
  return ($text // '') =~ /^(?:1|yes|y|true|t|on)$/i;
}

# Splits a line into words. An unclosed quote ends with the line.
sub words {
  my ($line) = @_;
  my @words;
  while ($line =~ /\G\s*((?:"(?:\\.|[^"\\])*(?:"|\z)|'(?:\\.|[^'\\])*(?:'|\z)|\\.|[^\s"'\\]|\\\z)+)/gs) {
    my $word = $1;
    $word =~ s/"((?:\\.|[^"\\])*)(?:"|\z)|'((?:\\.|[^'\\])*)(?:'|\z)|((?:\\.|[^"'\\])+)/unescape($1 \/\/ $2 \/\/ $3)/ges;
    push @words, $word;
  }
  return @words;
}

# C-style escapes; an unknown one stays as it is.
sub unescape {
  my ($text) = @_;
  $text =~ s{\\(?:x([0-9A-Fa-f]{2})|([0-7]{3})|u([0-9A-Fa-f]{4})|(.))}
    {defined $1 ? chr hex $1 : defined $2 ? chr oct $2 : defined $3 ? utf8_of(hex $3) : $ESCAPED{$4} // "\\$4"}ges;
  return $text;
}

sub utf8_of {
  my ($code) = @_;
  my $text = chr $code;
  utf8::encode($text);
  return $text;
}

# The path that a name stands for: "-" is "/", "\x2d" is "-". See systemd-escape(1).
sub path_of {
  my ($name) = @_;
  return '/' if $name eq '-';
  $name =~ s{-}{/}g;
  $name =~ s/\\x([0-9a-f]{2})/chr hex $1/ge;
  return $name;
}

# Replaces the specifiers of a unit with this name.
sub specifiers {
  my ($name, $text) = @_;
  return $text if index($text, '%') < 0;
  my ($prefix, $instance) = $name =~ /^([^@]*)(?:@(.*))?\.\w+$/;
  (my $plain = $name) =~ s/\.\w+$//;
  my $host = (POSIX::uname())[1];
  my ($last) = $prefix =~ /([^-]*)$/;
  my %meaning = (
    n => $name, N => $plain, p => $prefix, P => path_of($prefix), i => $instance // '', I => path_of($instance // ''),
    j => $last, J => path_of($last), f => '/' . (path_of($instance // $prefix) =~ s{^/}{}r), y => '', Y => '',
    t => '/run', S => '/var/lib', C => '/var/cache', L => '/var/log', E => '/etc', T => '/tmp', V => '/var/tmp',
    H => $host, l => $host =~ s/\..*//sr, q => $host, v => (POSIX::uname())[2], a => (POSIX::uname())[4],
    u => 'root', U => 0, g => 'root', G => 0, h => '/root', s => '/bin/sh', '%' => '%',
    m => first_line('/etc/machine-id'), b => first_line('/proc/sys/kernel/random/boot_id') =~ s/-//gr,
  );
  $text =~ s/%(.)/$meaning{$1} \/\/ "%$1"/ge;
  return $text;
}

sub first_line {
  my ($path) = @_;
  # The tree is hostile: a FIFO in the place of a file would never end.
  return '' unless -f $path && open(my $file, '<', $path);
  my $line = <$file> // '';
  chomp $line;
  return $line;
}

1;
