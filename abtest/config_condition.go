package abtest

// Condition is a node of a targeting tree: exactly one of All, Any, Not, a
// Percent, or a leaf that names an Attribute or a Unit and at least one
// operator. A leaf with several operators wants them all.
type Condition struct {
	All []Condition `yaml:"all,omitempty" json:"all,omitempty" doc:"every one of these holds"`
	Any []Condition `yaml:"any,omitempty" json:"any,omitempty" doc:"at least one of these holds"`
	Not *Condition  `yaml:"not,omitempty" json:"not,omitempty" doc:"this does not hold"`

	Percent *float64 `yaml:"percent,omitempty" json:"percent,omitempty" doc:"a share of the units by a hash of their own, in percent, at most two decimals; needs salt"`
	Salt    string   `yaml:"salt,omitempty" json:"salt,omitempty" doc:"salt of percent; two conditions of one salt hold for the same units"`

	Attribute string   `yaml:"attribute,omitempty" json:"attribute,omitempty" doc:"name of the context attribute; where the request lacks it, every operator but exists: false fails"`
	Unit      string   `yaml:"unit,omitempty" json:"unit,omitempty" doc:"instead of an attribute: the id of this unit, a string; beside percent: the unit that is hashed, default the experiment's"`
	In        []any    `yaml:"in,omitempty" json:"in,omitempty" doc:"equal to one of these strings, numbers or booleans; types are not converted"`
	NotIn     []any    `yaml:"not_in,omitempty" json:"not_in,omitempty" doc:"present and equal to none of these"`
	InList    string   `yaml:"in_list,omitempty" json:"in_list,omitempty" doc:"a string of this named list"`
	NotInList string   `yaml:"not_in_list,omitempty" json:"not_in_list,omitempty" doc:"present and not of this named list"`
	Eq        any      `yaml:"eq,omitempty" json:"eq,omitempty" doc:"equal to this string, number or boolean"`
	Prefix    *string  `yaml:"prefix,omitempty" json:"prefix,omitempty" doc:"a string that starts with this, byte for byte"`
	Suffix    *string  `yaml:"suffix,omitempty" json:"suffix,omitempty" doc:"a string that ends with this, byte for byte"`
	Contains  *string  `yaml:"contains,omitempty" json:"contains,omitempty" doc:"a string that holds this, byte for byte"`
	Gt        *float64 `yaml:"gt,omitempty" json:"gt,omitempty" doc:"a number greater than this"`
	Gte       *float64 `yaml:"gte,omitempty" json:"gte,omitempty" doc:"a number greater than or equal to this"`
	Lt        *float64 `yaml:"lt,omitempty" json:"lt,omitempty" doc:"a number less than this"`
	Lte       *float64 `yaml:"lte,omitempty" json:"lte,omitempty" doc:"a number less than or equal to this"`
	SemverEq  *string  `yaml:"semver_eq,omitempty" json:"semver_eq,omitempty" doc:"a version of the same precedence as this, such as 2.10.0"`
	SemverGt  *string  `yaml:"semver_gt,omitempty" json:"semver_gt,omitempty" doc:"a version after this"`
	SemverGte *string  `yaml:"semver_gte,omitempty" json:"semver_gte,omitempty" doc:"a version that is this or after it"`
	SemverLt  *string  `yaml:"semver_lt,omitempty" json:"semver_lt,omitempty" doc:"a version before this"`
	SemverLte *string  `yaml:"semver_lte,omitempty" json:"semver_lte,omitempty" doc:"a version that is this or before it"`
	Exists    *bool    `yaml:"exists,omitempty" json:"exists,omitempty" doc:"true: present; false: absent"`
}
