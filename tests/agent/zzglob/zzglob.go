// Package zzglob stands in for the module of this name, which not every
// module proxy serves. It offers what the Buildkite agent calls of it, for the
// agent's if_changed and artifact globs, on top of doublestar.
package zzglob

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Pattern is a glob that was found to be well formed.
type Pattern struct{ glob string }

// ParseOption changes how Parse reads a pattern.
type ParseOption func(*parsing)

type parsing struct{ tilde bool }

// ExpandTilde says whether a leading ~ is the user's home folder (it is, unless told otherwise).
func ExpandTilde(on bool) ParseOption { return func(p *parsing) { p.tilde = on } }

// Parse reads a pattern: ?, *, **, [abc] and {x,y}.
func Parse(pattern string, opts ...ParseOption) (*Pattern, error) {
	p := parsing{tilde: true}
	for _, opt := range opts {
		opt(&p)
	}
	glob := filepath.ToSlash(pattern)
	if p.tilde && (glob == "~" || strings.HasPrefix(glob, "~/")) {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, err
		}
		glob = filepath.ToSlash(home) + glob[1:]
	}
	// To doublestar "x/**" is also x itself; to the agent it is only what lies in x.
	if strings.HasSuffix(glob, "/**") {
		glob += "/*"
	}
	if !doublestar.ValidatePattern(glob) {
		return nil, doublestar.ErrBadPattern
	}
	return &Pattern{glob}, nil
}

// Match says whether the whole path matches.
func (p *Pattern) Match(path string) bool {
	return doublestar.MatchUnvalidated(p.glob, filepath.ToSlash(path))
}

// GlobOption changes how files are looked for.
type GlobOption func(*[]doublestar.GlobOption)

// TraverseSymlinks says whether links to folders are entered.
func TraverseSymlinks(on bool) GlobOption {
	return when(!on, doublestar.WithNoFollow())
}

// WalkIntermediateDirs is asked for by callers that want the errors of the folders on the way, so
// those errors end the walk; the folders themselves are not reported.
func WalkIntermediateDirs(on bool) GlobOption {
	return when(on, doublestar.WithFailOnIOErrors())
}

func when(on bool, opt doublestar.GlobOption) GlobOption {
	return func(opts *[]doublestar.GlobOption) {
		if on {
			*opts = append(*opts, opt)
		}
	}
}

// Glob calls visit for every path that matches.
func (p *Pattern) Glob(visit fs.WalkDirFunc, opts ...GlobOption) error {
	var walking []doublestar.GlobOption
	for _, opt := range opts {
		opt(&walking)
	}
	base, rest := doublestar.SplitPattern(p.glob)
	if _, err := os.Stat(base); err != nil {
		return visit(base, nil, err)
	}
	return doublestar.GlobWalk(os.DirFS(base), rest, func(name string, entry fs.DirEntry) error {
		return visit(filepath.Join(base, name), entry, nil)
	}, walking...)
}

// MultiGlob globs every pattern in turn, until ctx is done.
func MultiGlob(ctx context.Context, patterns []*Pattern, visit fs.WalkDirFunc, opts ...GlobOption) error {
	for _, p := range patterns {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := p.Glob(visit, opts...); err != nil {
			return err
		}
	}
	return nil
}
