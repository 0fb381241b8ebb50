SRCS_iommu := space.c type1.c iommufd.c memlock.c group.c facts.c fault.c limits.c
LIBS_iommu :=
